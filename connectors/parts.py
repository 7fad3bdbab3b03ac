"""How the objects and lists of a claim nest, for marshmallow and for the compiled reader alike."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema

from connectors.faults import Fault
from connectors.leaf import PatternField


class Rows(fields.List[Any]):
    """A list of at most ``longest`` items, optional or not; a longer one is refused unread."""

    def __init__(self, inner: fields.Field[Any], longest: int, *, optional: bool = False, about: str = "") -> None:
        super().__init__(
            inner,
            required=not optional,
            allow_none=optional,
            metadata={"maxItems": longest, **({"description": about} if about else {})},
            error_messages={"required": "field.required", "null": "field.null"},
        )
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:  # noqa: ANN401
        if not isinstance(value, list):
            raise ValidationError("list.expected")
        if len(value) > self.longest:
            raise ValidationError(str(Fault("list.too_long", str(self.longest))))
        return super()._deserialize(value, attr, data, **kwargs)


class ByCode(fields.Dict):
    """An optional object whose keys are codes; at most ``longest`` of them."""

    def __init__(self, key: PatternField, value: "Part", longest: int, *, about: str = "") -> None:
        super().__init__(
            keys=key,
            values=value,
            required=False,
            allow_none=True,
            metadata={"maxProperties": longest, "description": about},
        )
        self.key, self.value, self.longest = key, value, longest

    def _deserialize(
        self,
        value: Any,  # noqa: ANN401 - marshmallow's signature
        attr: str | None,  # noqa: ARG002
        data: Mapping[str, Any] | None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("object.expected")
        if len(value) > self.longest:
            raise ValidationError(str(Fault("list.too_long", str(self.longest))))
        read: dict[str, Any] = {}
        faults: dict[str, Any] = {}
        for key, inner in value.items():
            try:
                code = self.key.deserialize(key)
                read[str(code)] = self.value.deserialize(inner)
            except ValidationError as fault:
                faults[key] = fault.messages
        if faults:
            raise ValidationError(faults)
        return read


class Part(fields.Nested):
    """A required object that makes one type of the submission."""

    def __init__(self, schema: type["PartSchema"]) -> None:
        super().__init__(schema, required=True, error_messages={"required": "field.required", "null": "field.null"})


class PartSchema(Schema):
    """One object of the claim; unknown fields are refused."""

    class Meta:
        """Nothing that is not declared is taken."""

        unknown = RAISE

    error_messages = {"unknown": "field.unknown", "type": "object.expected"}  # noqa: RUF012 - marshmallow copies it
    makes: ClassVar[type]
    """The type of the submission that it makes; an optional field that is absent takes that type's default."""
    has_claimed_part: ClassVar[bool] = False
    """Whether ``claimed_amount`` names the part of ``amount`` that this claim uses (by default the whole)."""

    @validates_schema(skip_on_field_errors=False)
    def claimed_lies_within(self, data: Mapping[str, Any], **_: object) -> None:
        """Refuse a part above the whole."""
        amount, claimed = data.get("amount"), data.get("claimed")
        if self.has_claimed_part and amount is not None and claimed is not None and claimed > amount:
            raise ValidationError("claimed_amount.above_amount", "claimed_amount")

    @post_load
    def make(self, data: Mapping[str, Any], **_: object) -> object:
        """The typed part."""
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in data.items()
            if value is not None
        }
        if self.has_claimed_part:
            given.setdefault("claimed", given["amount"])
        return self.makes(**given)
