"""Azure's Storage libraries for Python on the embedded account: containers, blobs, conditions, leases, SAS, queues, events."""

import base64
import datetime as dt
import gzip
import json
import time

from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobServiceClient, ContainerClient, ContainerSasPermissions, ContentSettings, generate_container_sas
from azure.storage.queue import QueueServiceClient

from checks import ACCOUNT, E, check, equal, fails, finish

KEY = E["account_key"]
service = BlobServiceClient(f'{E["blob_url"]}/{ACCOUNT}', credential={"account_name": ACCOUNT, "account_key": KEY}, retry_total=2)
queues = QueueServiceClient(f'{E["queue_url"]}/{ACCOUNT}', credential={"account_name": ACCOUNT, "account_key": KEY}, retry_total=2)
c = service.get_container_client("py-clients")


@check("refuses a wrong key")
def _():
    wrong = BlobServiceClient(f'{E["blob_url"]}/{ACCOUNT}', credential={"account_name": ACCOUNT, "account_key": base64.b64encode(b"no").decode()}, retry_total=0)
    e = fails(lambda: list(wrong.list_containers()), ClientAuthenticationError)
    equal((e.status_code, e.error_code), (403, "AuthenticationFailed"))


@check("container: create, create again, metadata, list")
def _():
    c.create_container(metadata={"owner": "clients"})
    equal(fails(c.create_container, ResourceExistsError).error_code, "ContainerAlreadyExists")
    equal(c.get_container_properties().metadata, {"owner": "clients"})
    equal([x.name for x in service.list_containers(name_starts_with="py-")], ["py-clients"])
    assert not service.get_container_client("py-none").exists()


@check("blob: upload, properties, metadata, download, ranges")
def _():
    b = c.get_blob_client("a/one.txt")
    b.upload_blob(b"hello world", metadata={"rows": "7"}, content_settings=ContentSettings(content_type="text/plain", content_encoding="identity"))
    p = b.get_blob_properties()
    equal((p.size, p.metadata, p.content_settings.content_type, p.blob_type.value), (11, {"rows": "7"}, "text/plain", "BlockBlob"))
    equal(b.download_blob().readall(), b"hello world")
    equal(b.download_blob(offset=6, length=3).readall(), b"wor")
    b.set_blob_metadata({"rows": "8"})
    equal(b.get_blob_properties().metadata, {"rows": "8"})


@check("create only if it is not there: 409 BlobAlreadyExists")
def _():
    b = c.get_blob_client("a/one.txt")
    e = fails(lambda: b.upload_blob(b"other", overwrite=False), ResourceExistsError)
    equal((e.status_code, e.error_code), (409, "BlobAlreadyExists"))
    equal(b.download_blob().readall(), b"hello world")


@check("conditions on ETags: 412 ConditionNotMet")
def _():
    b = c.get_blob_client("a/etag.txt")
    first = b.upload_blob(b"1")["etag"]
    b.upload_blob(b"2", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    e = fails(lambda: b.upload_blob(b"3", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified), ResourceModifiedError)
    equal((e.status_code, e.error_code), (412, "ConditionNotMet"))
    equal(b.download_blob().readall(), b"2")


@check("a large blob by staged blocks, read in chunks")
def _():
    b = c.get_blob_client("a/large.bin")
    body = bytes(range(256)) * 4096 * 9  # 9 MiB
    small = BlobServiceClient(service.url, credential={"account_name": ACCOUNT, "account_key": KEY}, max_single_put_size=1 << 20, max_block_size=1 << 20,
                              max_single_get_size=1 << 20, max_chunk_get_size=1 << 20).get_blob_client("py-clients", "a/large.bin")
    small.upload_blob(body, max_concurrency=2)
    equal(small.download_blob(max_concurrency=2).readall() == body, True)
    b.stage_block("MDE=", b"ab")
    equal([x.id for x in b.get_block_list("uncommitted")[1]], ["MDE="])
    b.commit_block_list([BlobBlock("MDE=")])
    equal(b.download_blob().readall(), b"ab")


@check("list: prefix, pages, folders, and what is not there")
def _():
    for i in range(7):
        c.upload_blob(f"l/{i // 3}/{i}", b"x")
    equal([b.name for b in c.list_blobs(name_starts_with="l/1")], ["l/1/3", "l/1/4", "l/1/5"])
    pages = [[b.name for b in page] for page in c.list_blobs(name_starts_with="l/", results_per_page=3).by_page()]
    equal([len(p) for p in pages], [3, 3, 1])
    equal([x.name for x in c.walk_blobs(name_starts_with="l/", delimiter="/")], ["l/0/", "l/1/", "l/2/"])
    equal(fails(lambda: c.get_blob_client("none").download_blob(), ResourceNotFoundError).error_code, "BlobNotFound")


@check("leases exclude others until they are released or broken")
def _():
    b = c.upload_blob("lock", b"1")
    lease = b.acquire_lease(15)
    e = fails(lambda: b.acquire_lease(15), HttpResponseError)
    equal((e.status_code, e.error_code), (409, "LeaseAlreadyPresent"))
    e = fails(lambda: b.upload_blob(b"2", overwrite=True), HttpResponseError)
    equal((e.status_code, e.error_code), (412, "LeaseIdMissing"))
    b.upload_blob(b"3", overwrite=True, lease=lease)
    lease.renew()
    equal(b.get_blob_properties().lease.state, "leased")
    lease.release()
    b.acquire_lease(-1).break_lease(0)
    b.upload_blob(b"4", overwrite=True)


@check("SAS of a container: reads and lists, and may not write or outlive its end")
def _():
    now = dt.datetime.now(dt.timezone.utc)
    token = generate_container_sas(ACCOUNT, "py-clients", account_key=KEY, permission=ContainerSasPermissions(read=True, list=True), expiry=now + dt.timedelta(minutes=5))
    sas = ContainerClient.from_container_url(f"{c.url}?{token}", retry_total=0)
    equal(sas.get_blob_client("a/one.txt").download_blob().readall(), b"hello world")
    assert "a/one.txt" in [b.name for b in sas.list_blobs()]
    e = fails(lambda: sas.upload_blob("a/no.txt", b"x"), HttpResponseError)
    equal((e.status_code, e.error_code), (403, "AuthorizationPermissionMismatch"))
    old = generate_container_sas(ACCOUNT, "py-clients", account_key=KEY, permission="rl", expiry=now - dt.timedelta(minutes=5))
    e = fails(lambda: list(ContainerClient.from_container_url(f"{c.url}?{old}", retry_total=0).list_blobs()), ClientAuthenticationError)
    equal((e.status_code, e.error_code), (403, "AuthenticationFailed"))


@check("delete, copy and snapshots")
def _():
    b = c.get_blob_client("a/copy.txt")
    equal(b.start_copy_from_url(c.get_blob_client("a/one.txt").url)["copy_status"], "success")
    equal(b.download_blob().readall(), b"hello world")
    b.delete_blob()
    equal(fails(b.delete_blob, ResourceNotFoundError).status_code, 404)


@check("queue: send, peek, receive, hide, update, delete")
def _():
    q = queues.create_queue("py-queue")
    q.send_message("one")
    q.send_message("two")
    equal([m.content for m in q.peek_messages(5)], ["one", "two"])
    m = q.receive_message(visibility_timeout=30)
    equal((m.content, m.dequeue_count), ("one", 1))
    equal([x.content for x in q.receive_messages(visibility_timeout=30)], ["two"])
    equal(list(q.receive_messages()), [])
    m = q.update_message(m, visibility_timeout=0, content="one again")
    m = q.receive_message()
    equal((m.content, m.dequeue_count), ("one again", 2))
    q.delete_message(m)
    equal(q.get_queue_properties().approximate_message_count, 1)
    q.clear_messages()
    equal([x.name for x in queues.list_queues(name_starts_with="py-")], ["py-queue"])
    queues.delete_queue("py-queue")
    fails(q.get_queue_properties, ResourceNotFoundError)


@check("the event of a blob that is created where the subscription looks")
def _():
    q = queues.get_queue_client("client-events")
    service.get_blob_client("market-data", "elsewhere/no.txt").upload_blob(b"x")
    service.get_blob_client("market-data", "client-events/one.txt").upload_blob(b"12345")
    until, events = time.monotonic() + 20, []
    while not events and time.monotonic() < until:
        events = [json.loads(base64.b64decode(m.content)) for m in q.receive_messages()]
        time.sleep(0.1)
    event, = events
    equal((event["eventType"], event["subject"]), ("Microsoft.Storage.BlobCreated", "/blobServices/default/containers/market-data/blobs/client-events/one.txt"))
    equal((event["data"]["contentLength"], event["data"]["api"], event["data"]["blobType"]), (5, "PutBlob", "BlockBlob"))


@check("what the stream wrote: files of JSON with gzip")
def _():
    files = [b for b in service.get_container_client("market-data").list_blobs(name_starts_with="kafka-messages/", include=["metadata"]) if b.name.endswith(".gz")]
    lines = []
    for f in files:
        lines += gzip.decompress(service.get_blob_client("market-data", f.name).download_blob().readall()).splitlines()
    assert lines and set(json.loads(lines[0])) >= {"Index", "Date", "Close"}, lines[:1]


c.delete_container()
finish()
