"""Django: state, screens, APIs. One app a capability."""
