"""wechatpy as a client of the hub: `client.py account|platform everything|message`."""

import hashlib
import io
import json
import os
import sys

from requests.adapters import HTTPAdapter
from wechatpy import WeChatClient
from wechatpy.component import WeChatComponent
from wechatpy.exceptions import WeChatException
from wechatpy.session.memorystorage import MemoryStorage

WECHAT = "https://api.weixin.qq.com"
env = os.environ


class HubAdapter(HTTPAdapter):
    """Some addresses are built into wechatpy; here they lead to the hub."""

    def send(self, request, **kwargs):
        request.url = request.url.replace(WECHAT, env["HUB_WX"], 1)
        return super().send(request, **kwargs)


def at_hub(client):
    client._http.mount(WECHAT, HubAdapter())
    return client


def account():
    return at_hub(WeChatClient(env["APPID"], env["KEY"], access_token=env.get("TOKEN")))


def platform():
    session = MemoryStorage()
    session.set(f"{env['APPID']}_refresh_token", "any")
    if env.get("TOKEN"):
        session.set(f"{env['APPID']}_access_token", env["TOKEN"])
    if env.get("COMPONENT_TOKEN"):
        session.set("component_access_token", env["COMPONENT_TOKEN"])
    return at_hub(WeChatComponent(env["PLATFORM"], env["KEY"], "token", "A" * 43, session))


def everything(client):
    with open(env["FILE"], "rb") as file:
        data = file.read()
    upload = io.BytesIO(data)
    upload.name = "a.png"
    media_id = client.media.upload("image", upload)["media_id"]
    downloaded = client.media.download(media_id).content
    return {
        "token": client.access_token,
        "mediaId": media_id,
        "sha256": hashlib.sha256(downloaded).hexdigest(),
    }


def main(role, what):
    result = {}
    if role == "platform":
        component = platform()
        if what == "preauth" or what == "everything":
            result["componentToken"] = component.access_token
            result["preAuthCode"] = component.create_preauthcode()["pre_auth_code"]
        if what == "preauth":
            return result
        client = at_hub(component.get_client_by_appid(env["APPID"]))
    else:
        client = account()
    client.message.send_text("fake_openid", env["TEXT"])
    return {**result, **(everything(client) if what == "everything" else {})}


try:
    print(json.dumps(main(*sys.argv[1:])))
except WeChatException as error:
    print(json.dumps({"error": error.errcode}))
