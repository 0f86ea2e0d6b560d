"""PHP scripts that run on servers, over SSH."""
