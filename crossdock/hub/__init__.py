"""Django: state, screens and the engine. `boot.boot(state)` is the way in for everything that is not a web request."""
