"""A store that speaks S3 (moto), for tests: PORT BUCKET ID SECRET.

Its first line says {"port"}. Then it answers each line of its input: {"get": key, "file": path} writes an object into a file
and says {"bytes", "type"}, {"bytes": null} where there is none; {"uploads": true} says how many uploads are under way.
"""

import json
import logging
import sys

import moto.settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionAuthenticatorMixin
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def main():
    port, bucket, key_id, secret = sys.argv[1:]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    people = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    people.create_user(REGION, "recorder")
    people.put_user_policy("recorder", "everything", json.dumps(EVERYTHING))
    key = people.create_access_key("recorder")
    # A store that comes back knows the keys that it knew.
    key.access_key_id, key.secret_access_key = key_id, secret
    store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    store.create_bucket(bucket, REGION)
    # From the first request on it checks signatures and rights.
    moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    ActionAuthenticatorMixin.request_count = 0
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(port), verbose=False)
    server.start()
    say({"port": server.get_host_and_port()[1]})
    for line in sys.stdin:
        say(answer(store, bucket, json.loads(line)))


def answer(store, bucket, request):
    if "uploads" in request:
        return {"uploads": len(store.list_multipart_uploads(bucket))}
    found = store.get_object(bucket, request["get"])
    if not found:
        return {"bytes": None}
    with open(request["file"], "wb") as file:
        file.write(found.value)
    return {"bytes": len(found.value), "type": found.metadata.get("Content-Type")}


def say(message):
    print(json.dumps(message), flush=True)


main()
