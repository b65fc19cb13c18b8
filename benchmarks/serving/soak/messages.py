"""Protobuf messages of any type at random: a hypothesis strategy made from the descriptor."""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

SIZES = [0, 1, 2, 3, 7, 100, -1, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63)]  # 2^40 elements must not be taken
MOST_FIELDS, FIRST = 4, 3  # messages stay small, so that all parts of them vary
F = FieldDescriptor
RANGES = {
    **dict.fromkeys([F.CPPTYPE_INT32], (-(1 << 31), (1 << 31) - 1)),
    **dict.fromkeys([F.CPPTYPE_INT64], (-(1 << 63), (1 << 63) - 1)),
    **dict.fromkeys([F.CPPTYPE_UINT32], (0, (1 << 32) - 1)),
    **dict.fromkeys([F.CPPTYPE_UINT64], (0, (1 << 64) - 1)),
}


class Messages:
    """Strategies for message types; those that hold each other are deferred."""

    def __init__(self, words: list[str]) -> None:
        """words: texts that mean something to the server, so that a part of the messages gets past the first check."""
        self._texts = st.sampled_from(words) | st.text(max_size=8)
        self._made: dict[str, st.SearchStrategy[Any]] = {}

    def of(self, descriptor: Descriptor) -> st.SearchStrategy[Any]:
        """Messages of this type with a few of their fields: more often the first ones, which say most."""
        name = descriptor.full_name
        if name not in self._made:
            self._made[name] = st.deferred(lambda: self._message(descriptor))
        return self._made[name]

    def _message(self, descriptor: Descriptor) -> st.SearchStrategy[Any]:
        fields = {field.name: self._values(field) for field in descriptor.fields}
        if not fields:
            return st.builds(GetMessageClass(descriptor))
        names = list(fields)
        chosen = st.lists(st.sampled_from(3 * names[:FIRST] + names[FIRST:]), unique=True, max_size=MOST_FIELDS)
        found = chosen.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in names}))
        return found.map(lambda values: _filled(descriptor, values))

    def _values(self, field: FieldDescriptor) -> st.SearchStrategy[Any]:
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            key, value = (self._single(entry.fields_by_name[name]) for name in ("key", "value"))
            return st.dictionaries(key, value, max_size=2)
        single = self._single(field)
        return st.lists(single, max_size=3) if field.is_repeated else single

    def _single(self, field: FieldDescriptor) -> st.SearchStrategy[Any]:
        kind = field.cpp_type
        if kind == F.CPPTYPE_MESSAGE:
            return self.of(field.message_type)
        if kind == F.CPPTYPE_STRING:
            return st.binary(max_size=24) if field.type == F.TYPE_BYTES else self._texts
        if kind == F.CPPTYPE_ENUM:
            return st.sampled_from([value.number for value in field.enum_type.values])
        if kind == F.CPPTYPE_BOOL:
            return st.booleans()
        if kind in (F.CPPTYPE_FLOAT, F.CPPTYPE_DOUBLE):
            return st.floats(width=32 if kind == F.CPPTYPE_FLOAT else 64)
        low, high = RANGES[kind]
        return st.sampled_from([size for size in SIZES if low <= size <= high]) | st.integers(low, high)


def _filled(descriptor: Descriptor, fields: dict[str, Any]) -> Any:
    """The message; of a oneof the last field counts."""
    message = GetMessageClass(descriptor)()
    for name, value in fields.items():
        field = descriptor.fields_by_name[name]
        if isinstance(value, dict):
            target = getattr(message, name)
            for key, entry in value.items():
                if field.message_type.fields_by_name["value"].message_type is None:
                    target[key] = entry
                else:
                    target[key].CopyFrom(entry)
        elif field.is_repeated:
            getattr(message, name).extend(value)
        elif field.message_type is not None:
            getattr(message, name).CopyFrom(value)
        else:
            setattr(message, name, value)
    return message
