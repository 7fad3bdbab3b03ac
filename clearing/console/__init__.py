"""The console: what people do in a browser, one file per screen, by the same use cases as the interface."""
