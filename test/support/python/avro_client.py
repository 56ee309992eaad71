"""Confluent's own client, for tests: `write URL SUBJECT SCHEMA` or `read URL SUBJECT`, one frame in hexadecimal a line."""

import datetime
import decimal
import json
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

mode, url, topic = sys.argv[1:4]
client = SchemaRegistryClient({"url": url})
context = SerializationContext(topic, MessageField.VALUE)


def shown(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    raise TypeError(type(value))


def given(value):
    return {**value, "price": decimal.Decimal(value["price"]), "raw": bytes.fromhex(value["raw"])}


if mode == "write":
    serialize = AvroSerializer(client, sys.argv[4])
    for line in sys.stdin:
        print(serialize(given(json.loads(line)), context).hex())
else:
    deserialize = AvroDeserializer(client)
    for line in sys.stdin:
        print(json.dumps(deserialize(bytes.fromhex(line.strip()), context), default=shown))
