"""The service on HTTP: the app, who may use it, REST, and the sockets."""
