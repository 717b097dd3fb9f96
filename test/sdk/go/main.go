// silenceper/wechat as a client of the hub: `client account|platform everything|message`.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount"
	accountConfig "github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/material"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	platformConfig "github.com/silenceper/wechat/v2/openplatform/config"
	"github.com/silenceper/wechat/v2/util"
)

const wechatHost = "api.weixin.qq.com"

// hubTransport leads what is addressed to WeChat to the hub.
type hubTransport struct{ hub *url.URL }

func (transport hubTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == wechatHost {
		request = request.Clone(request.Context())
		request.URL.Scheme = transport.hub.Scheme
		request.URL.Host = transport.hub.Host
		request.URL.Path = transport.hub.Path + request.URL.Path
		request.Host = transport.hub.Host
	}
	return http.DefaultTransport.RoundTrip(request)
}

func account(wc *wechat.Wechat, memory cache.Cache) *officialaccount.OfficialAccount {
	appid := os.Getenv("APPID")
	if token := os.Getenv("TOKEN"); token != "" {
		check(memory.Set("gowechat_officialaccount__access_token_"+appid, token, time.Hour))
	}
	return wc.GetOfficialAccount(&accountConfig.Config{
		AppID: appid, AppSecret: os.Getenv("KEY"), Token: "token", Cache: memory,
	})
}

func platform(
	wc *wechat.Wechat, memory cache.Cache, result map[string]any, everything bool,
) *officialaccount.OfficialAccount {
	appid := os.Getenv("APPID")
	check(memory.Set("authorizer_refresh_token_"+appid, "any", time.Hour))
	if token := os.Getenv("TOKEN"); token != "" {
		check(memory.Set("authorizer_access_token_"+appid, token, time.Hour))
	}
	platform := wc.GetOpenPlatform(&platformConfig.Config{
		AppID: os.Getenv("PLATFORM"), AppSecret: os.Getenv("KEY"), Token: "token", Cache: memory,
	})
	if token := os.Getenv("COMPONENT_TOKEN"); token != "" {
		check(memory.Set("component_access_token_"+os.Getenv("PLATFORM"), token, time.Hour))
	} else {
		_, err := platform.SetComponentAccessToken(context.Background(), "any")
		check(err)
	}
	if everything {
		token, err := platform.GetComponentAccessToken()
		check(err)
		result["componentToken"] = token
		code, err := platform.GetPreCode()
		check(err)
		result["preAuthCode"] = code
	}
	return platform.GetOfficialAccount(appid).OfficialAccount
}

func moveFile(client *officialaccount.OfficialAccount, result map[string]any) {
	token, err := client.GetAccessToken()
	check(err)
	result["token"] = token
	files := client.GetMaterial()
	media, err := files.MediaUpload(material.MediaTypeImage, os.Getenv("FILE"))
	check(err)
	result["mediaId"] = media.MediaID
	address, err := files.GetMediaURL(media.MediaID)
	check(err)
	bytes, err := util.HTTPGet(address)
	check(err)
	result["sha256"] = fmt.Sprintf("%x", sha256.Sum256(bytes))
}

func show(result map[string]any) {
	line, _ := json.Marshal(result)
	fmt.Println(string(line))
	os.Exit(0)
}

func check(err error) {
	if err == nil {
		return
	}
	// The SDK has its errors as text.
	found := regexp.MustCompile(`errcode=(-?\d+)`).FindStringSubmatch(err.Error())
	if found == nil {
		show(map[string]any{"error": err.Error()})
	}
	errcode, _ := strconv.Atoi(found[1])
	show(map[string]any{"error": errcode})
}

func main() {
	role, everything := os.Args[1], os.Args[2] == "everything"
	hub, err := url.Parse(os.Getenv("HUB_WX"))
	check(err)
	wc := wechat.NewWechat()
	wc.SetHTTPClient(&http.Client{Transport: hubTransport{hub}})
	memory := cache.NewMemory()
	result := map[string]any{}
	var client *officialaccount.OfficialAccount
	if role == "platform" {
		client = platform(wc, memory, result, everything)
	} else {
		client = account(wc, memory)
	}
	text := message.NewCustomerTextMessage("fake_openid", os.Getenv("TEXT"))
	check(client.GetCustomerMessageManager().Send(text))
	if everything {
		moveFile(client, result)
	}
	show(result)
}
