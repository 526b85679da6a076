"""The tables that say what becomes of a field, held against what Envoy knows and against the models."""

from __future__ import annotations

from meshsim.envoy.config.coverage import modelled_fields, models, status
from meshsim.envoy.config.inert import DEFAULT_VALUES, INERT, INERT_TYPES, UNMODELLED_VALUES, WITHHELD
from meshsim.envoy.config.schema import known_schema

OWN = {"discovered", "ignored", "inert", "sources"}
"""Fields of the bootstrap's model that are meshsim's, not Envoy's."""


def test_every_field_of_a_model_is_a_field_of_envoys_message() -> None:
    schema = known_schema()
    strange = [
        (name, field)
        for name, model in models().items()
        if name != "google.protobuf.Any"
        for field in model.model_fields
        if field not in schema.message(name).fields and field not in OWN
    ]

    assert strange == []


def test_inert_fields_exist_and_have_a_reason_and_no_model() -> None:
    schema = known_schema()
    for message, fields in INERT.items():
        assert message in models(), message
        for field, reason in fields.items():
            assert reason
            assert field == "*" or field in schema.message(message).fields, (message, field)
            assert field not in models()[message].model_fields, (message, field)


def test_the_other_tables_name_what_envoy_knows() -> None:
    schema = known_schema()

    assert all(message in schema for message in INERT_TYPES)
    for message, field in [*UNMODELLED_VALUES, *DEFAULT_VALUES]:
        assert field in schema.message(message).fields
    for (message, field), values in UNMODELLED_VALUES.items():
        kind = schema.message(message).fields[field].type
        assert kind.kind != "enum" or values <= schema.enum(kind.target).keys()


def test_withheld_fields_have_a_model() -> None:
    for message, fields in WITHHELD.items():
        assert fields <= models()[message].model_fields.keys(), message
        assert all(status(message, field) == "not modelled" for field in fields)


def test_names_of_enum_values_in_models_are_envoys() -> None:
    schema = known_schema()
    for name, model in models().items():
        if name == "google.protobuf.Any":
            continue
        choices = model.model_json_schema().get("properties", {})
        for field, entry in schema.message(name).fields.items():
            if entry.type.kind == "enum" and "enum" in choices.get(field, {}):
                assert set(choices[field]["enum"]) == set(schema.enum(entry.type.target)), (name, field)


def test_the_list_of_fields_covers_all_messages_with_a_model() -> None:
    rows = modelled_fields()

    assert len(rows) == len({(message, field) for message, field, _ in rows})
    assert {status for *_, status in rows} == {"modelled", "inert", "not modelled"}
    assert ("envoy.config.core.v3.Http2ProtocolOptions", "hpack_table_size", "inert") in rows
    assert ("envoy.config.listener.v3.Listener", "fcds_config", "not modelled") in rows
