"""Text that a recurrent model writes, token by token, sent as it comes: over HTTP and over gRPC."""
