"""Reads what is committed in a topic, up to its end, with one of Python's clients: consume.py LIBRARY BROKER TOPIC. One line of JSON a record."""

import asyncio
import json
import sys

library, broker, topic = sys.argv[1:]


def show(key, value, headers):
    text = lambda data: None if data is None else data.hex()
    print(json.dumps({"key": text(key), "value": text(value), "headers": [[k, text(v)] for k, v in headers or []]}))


def confluent():
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": f"{topic}.confluent",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    partitions = consumer.list_topics(topic, 20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    ended = set()
    while len(ended) < len(partitions):
        message = consumer.poll(20)
        if message is None:
            raise RuntimeError("nothing came for 20 s")
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(str(message.error()))
            ended.add(message.partition())
        else:
            show(message.key(), message.value(), message.headers())
    consumer.close()


def kafka_python():
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest"
    )
    partitions = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    quiet = 0
    while quiet < 3:
        found = consumer.poll(timeout_ms=1000)
        quiet = 0 if found else quiet + 1
        for records in found.values():
            for record in records:
                show(record.key, record.value, record.headers)
    consumer.close()


async def aiokafka():
    from aiokafka import AIOKafkaConsumer

    # Without a group it is given all partitions.
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        quiet = 0
        while quiet < 3:
            found = await consumer.getmany(timeout_ms=1000)
            quiet = 0 if found else quiet + 1
            for records in found.values():
                for record in records:
                    show(record.key, record.value, record.headers)
    finally:
        await consumer.stop()


if library == "confluent-kafka":
    confluent()
elif library == "kafka-python":
    kafka_python()
else:
    asyncio.run(aiokafka())
