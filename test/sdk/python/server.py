"""A platform's service with wechatpy, written for WeChat itself.

`POST /events` takes what is for the platform, `POST /<appid>/messages` what is for an account. Prints
its port, then each push that it has taken, as lines of JSON.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from wechatpy import create_reply, parse_message
from wechatpy.component import WeChatComponent
from wechatpy.session.memorystorage import MemoryStorage

env = os.environ
session = MemoryStorage()
component = WeChatComponent(
    env["PLATFORM"], env["KEY"], env["TOKEN"], env["ENCODING_AES_KEY"], session
)
component.API_BASE_URL = env["HUB_WX"] + "/cgi-bin"


def on_event(body, query):
    # Keeps a ticket, and exchanges the code of an authorization.
    event = component.parse_message(
        body, query["msg_signature"], query["timestamp"], query["nonce"]
    )
    show = {"type": event.type}
    if event.type == "component_verify_ticket":
        show["ticket"] = component.component_verify_ticket
        show["preAuthCode"] = component.create_preauthcode()["pre_auth_code"]
    if event.type == "authorized":
        show["account"] = event.query_auth_result["authorization_info"]["authorizer_appid"]
    return show, "success"


def on_message(body, query):
    xml = component.crypto.decrypt_message(
        body, query["msg_signature"], query["timestamp"], query["nonce"]
    )
    message = parse_message(xml)
    reply = create_reply(f"echo {message.content}", message)
    show = {"type": message.type, "content": message.content}
    return show, component.crypto.encrypt_message(reply.render(), query["nonce"])


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["content-length"]))
        handle = on_event if url.path == "/events" else on_message
        show, answer = handle(body, dict(parse_qsl(url.query)))
        print(json.dumps({"path": url.path, **show}), flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Service)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
