"""A service that answers WeChat users by way of component-hub. Python 3.9 or later, no packages."""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

try:
    KEY = base64.b64decode(os.environ.get("WEBHOOK_SECRET", "").removeprefix("whsec_"))
except ValueError:
    KEY = b""
HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8080"))
TOLERANCE_SECONDS = 300  # how far a signature's time may be from this machine's clock
MAX_BODY_BYTES = 1024 * 1024
MAX_REMEMBERED = 10_000


def is_genuine(headers, body):
    """Whether the hub sent it, as Standard Webhooks says (https://www.standardwebhooks.com)."""
    push_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not push_id or not re.fullmatch("[0-9]{1,12}", timestamp):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{push_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest())
    # Several signatures, with a space between them, while a secret is being changed.
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(signature, expected) for signature in given)


def reply_to(push):
    """Your part: the passive reply to a push, in WeChat's own names; None for none."""
    if push["type"] != "message.text":
        return None
    content = push["data"]["fields"]["Content"]
    return {"MsgType": "text", "Content": f"You said: {content[:200]}"}


# Answers by webhook-id. The hub delivers at least once: what comes again is answered as the first
# time and has no second effect. Where that must outlast a restart, or you run several processes, it
# is a table of your database with the id as its key.
answers = OrderedDict()
lock = Lock()


def answer_once(push_id, body):
    with lock:  # one at a time: WeChat waits, so what takes long is for a queue of your own
        if push_id not in answers:
            reply = reply_to(json.loads(body))
            answers[push_id] = b"" if reply is None else json.dumps(reply).encode()
            if len(answers) > MAX_REMEMBERED:
                answers.popitem(last=False)
            print(f"handled {push_id}", flush=True)  # its content is your users' own
        return answers[push_id]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open for the next push
    wbufsize = -1  # head and body of an answer leave together
    timeout = 60  # seconds without a push, after which a connection is closed

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not re.fullmatch("[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(int(length))
        # Before anything else is read: the bytes as they came, not JSON that was written anew.
        if not is_genuine(self.headers, body):
            return self.answer(401)
        try:
            self.answer(200, answer_once(self.headers["webhook-id"], body))
        except Exception as error:
            print(f"a push could not be handled; the hub sends it again: {error!r}", file=sys.stderr)
            self.answer(500)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # connections that may come at once; the default is 5


if __name__ == "__main__":
    if len(KEY) < 24:
        sys.exit("WEBHOOK_SECRET must be the secret of the subscription, whsec_...")
    server = Server((HOST, PORT), Handler)
    print(f"Listening on http://{HOST}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
