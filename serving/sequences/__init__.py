"""States of recurrent models, held by the server from one call to the next."""
