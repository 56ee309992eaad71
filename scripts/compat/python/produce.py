"""Writes records, as told in a file of JSON, with one of Python's clients: produce.py LIBRARY BROKER TOPIC FILE."""

import asyncio
import json
import sys

library, broker, topic, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    tasks = json.load(file)


def unhex(text):
    return None if text is None else bytes.fromhex(text)


def plain(record):
    headers = [(key, unhex(value)) for key, value in record["headers"]]
    return unhex(record["key"]), unhex(record["value"]), headers


def confluent(task):
    from confluent_kafka import Producer

    settings = {"bootstrap.servers": broker, "compression.type": task["codec"], "linger.ms": 20}
    if task["mode"] == "idempotent":
        settings["enable.idempotence"] = True
    if task["mode"] == "transactional":
        settings["transactional.id"] = f"{topic}.{task['variant']}"
    producer = Producer(settings)
    failures = []

    def send(records):
        for record in records:
            key, value, headers = plain(record)
            while True:
                try:
                    producer.produce(
                        topic, value, key, headers=headers, on_delivery=lambda e, _: failures.append(e) if e else None
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush(30)

    if task["mode"] != "transactional":
        send(task["records"])
    else:
        producer.init_transactions(30)
        half = len(task["records"]) // 2
        producer.begin_transaction()
        send(task["records"][:half])
        producer.commit_transaction(30)
        producer.begin_transaction()
        send(task["aborted"])
        producer.abort_transaction(30)
        producer.begin_transaction()
        send(task["records"][half:])
        producer.commit_transaction(30)
    if failures:
        raise RuntimeError(str(failures[0]))


def kafka_python(task):
    from kafka import KafkaProducer

    codec = None if task["codec"] == "none" else task["codec"]
    producer = KafkaProducer(
        bootstrap_servers=broker, compression_type=codec, linger_ms=20, enable_idempotence=task["mode"] == "idempotent"
    )
    sent = []
    for record in task["records"]:
        key, value, headers = plain(record)
        sent.append(producer.send(topic, value=value, key=key, headers=headers))
    producer.flush(30)
    for future in sent:
        future.get(30)
    producer.close()


async def aiokafka(task):
    from aiokafka import AIOKafkaProducer

    codec = None if task["codec"] == "none" else task["codec"]
    transactional = {"transactional_id": f"{topic}.{task['variant']}"} if task["mode"] == "transactional" else {}
    producer = AIOKafkaProducer(
        bootstrap_servers=broker,
        compression_type=codec,
        linger_ms=20,
        enable_idempotence=task["mode"] != "plain",
        **transactional,
    )
    await producer.start()

    async def send(records):
        sent = []
        for record in records:
            key, value, headers = plain(record)
            sent.append(await producer.send(topic, value=value, key=key, headers=headers))
        await asyncio.gather(*sent)

    try:
        if task["mode"] != "transactional":
            await send(task["records"])
        else:
            half = len(task["records"]) // 2
            async with producer.transaction():
                await send(task["records"][:half])
            await producer.begin_transaction()
            await send(task["aborted"])
            await producer.abort_transaction()
            async with producer.transaction():
                await send(task["records"][half:])
    finally:
        await producer.stop()


for task in tasks:
    if library == "confluent-kafka":
        confluent(task)
    elif library == "kafka-python":
        kafka_python(task)
    else:
        asyncio.run(aiokafka(task))
