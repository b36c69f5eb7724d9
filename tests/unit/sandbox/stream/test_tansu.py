"""The broker of the sandbox, started for real."""

import socket

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from sandbox.stream import tansu
from sandbox.supervisor.service import SandboxError, free_ports, running


def test_it_keeps_what_is_produced_and_gives_it_from_any_offset(tmp_path):
    (port,) = free_ports(1)
    with running(tansu.service(host="127.0.0.1", port=port), log=tmp_path / "log"):
        at = {"bootstrap.servers": f"127.0.0.1:{port}"}
        admin = AdminClient(at)
        admin.create_topics([NewTopic("t", num_partitions=2, replication_factor=1)])["t"].result(30)
        producer = Producer(at)
        for number in range(10):
            producer.produce("t", value=str(number).encode(), partition=1)
        assert producer.flush(30) == 0
        consumer = Consumer({**at, "group.id": "g", "enable.auto.commit": False})
        consumer.assign([TopicPartition("t", 1, 4)])
        assert [message.value() for message in consumer.consume(6, timeout=30)] == [b"4", b"5", b"6", b"7", b"8", b"9"]
        consumer.close()


def test_another_program_on_its_port_is_not_taken_for_it():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert not tansu.service(host="127.0.0.1", port=port).ready(0)  # takes the connection, says nothing
    assert not tansu.service(host="127.0.0.1", port=port).ready(0)


def test_a_missing_program_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(tansu, "PROGRAM", tmp_path / "tansu")
    with pytest.raises(SandboxError, match=r"tansu is missing; `make setup`"):
        tansu.service(host="127.0.0.1", port=1).prepare()
