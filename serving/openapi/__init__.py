"""`/openapi.json`: the REST API of the models that are loaded now, as OpenAPI 3.1 has it."""

from serving.openapi.document import PATH, document

__all__ = ["PATH", "document"]
