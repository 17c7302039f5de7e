"""A broker that asks for everything: TLS with client certificates, a login, and permissions for each act.

Its second listener is the administrator's: without TLS or login, and allowed anything.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from schemas.errors import BatonError
from streams.kafka.acls import Acl
from streams.kafka.admin import admin
from streams.local.broker import free_ports
from streams.local.jars import kafka_jars
from streams.local.java import find_java

CLUSTER_ID = "c2VjdXJlZC1icm9rZXItMQ"
START_SECONDS = 90.0


@dataclass(frozen=True)
class SecuredBroker:
    """Where it listens, and the files of its authority and of a client."""

    address: str
    admin_address: str
    folder: Path

    @property
    def tls_settings(self) -> dict[str, str]:
        """Baton's settings to reach it, without a login."""
        return {
            "BATON_KAFKA": self.address,
            "BATON_KAFKA_TLS": "1",
            "BATON_KAFKA_CA": str(self.folder / "ca.pem"),
            "BATON_KAFKA_CERTIFICATE": str(self.folder / "client.pem"),
        }

    def add_user(self, name: str, password: str) -> None:
        """A user who may log in with SCRAM-SHA-512, and may do nothing yet."""
        made = UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password)
        with admin(self.admin_address) as client:
            assert client.alter_user_scram_credentials([made]) == {name: None}

    def allow(self, name: str, acls: list[Acl]) -> None:
        """Give a user these permissions."""
        with admin(self.admin_address) as client:
            made = client.create_acls([each for acl in acls for each in _in_client_form(name, acl)])
        assert not made["failed"]


def _in_client_form(name: str, acl: Acl) -> list[ACL]:
    pattern = ResourcePattern(
        ResourceType[acl.resource.upper()],
        acl.name,
        ACLResourcePatternType.PREFIXED if acl.is_prefix else ACLResourcePatternType.LITERAL,
    )
    operations = {operation.name.replace("_", ""): operation for operation in ACLOperation}
    return [
        ACL(f"User:{name}", "*", operations[operation.upper()], ACLPermissionType.ALLOW, pattern)
        for operation in acl.operations
    ]


@contextmanager
def secured_broker(folder: Path) -> Iterator[SecuredBroker]:
    """Start one, and stop it at the end."""
    make_certificates(folder)
    (client, admin_port), (controller, _) = free_ports(), free_ports()
    properties = folder / "server.properties"
    properties.write_text(_properties(folder, client, admin_port, controller))
    java, jars = find_java()[0], kafka_jars()
    command = [java, "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{jars}/*"]
    prepare = ["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c", str(properties)]
    subprocess.run([*command, *prepare], check=True, capture_output=True)
    broker = SecuredBroker(f"127.0.0.1:{client}", f"127.0.0.1:{admin_port}", folder)
    with (folder / "broker.log").open("w") as log:
        process = subprocess.Popen([*command, "kafka.Kafka", str(properties)], stdout=log, stderr=log)
        try:
            _wait(broker, process)
            yield broker
        finally:
            process.terminate()
            process.wait(30)


def _wait(broker: SecuredBroker, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with admin(broker.admin_address, timeout_seconds=5):
                return
        except BatonError:
            said = (broker.folder / "broker.log").read_text()[-3000:]
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.2)


def make_certificates(folder: Path) -> None:
    """An authority (ca.pem), and certificates with their keys for 127.0.0.1: server.pem, client.pem."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "rsa:2048", "-nodes")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
    openssl(
        "req",
        "-x509",
        *key,
        "-days",
        "2",
        "-subj",
        "/CN=ca",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        *authority,
    )
    for name in ("server", "client"):
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt"),
        )
        (folder / f"{name}.pem").write_text(
            (folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text()
        )


def _properties(folder: Path, client: int, admin_port: int, controller: int) -> str:
    listeners = ",".join(
        f"{name}://127.0.0.1:{port}"
        for name, port in (("SASL_SSL", client), ("PLAINTEXT", admin_port), ("CONTROLLER", controller))
    )
    modules = "org.apache.kafka.common.security"
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners={listeners}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required;
listener.name.sasl_ssl.ssl.client.auth=required
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location={folder}/server.pem
listener.name.sasl_ssl.ssl.truststore.type=PEM
listener.name.sasl_ssl.ssl.truststore.location={folder}/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs={folder}/data
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""
