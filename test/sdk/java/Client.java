import cn.binarywang.wx.miniapp.api.WxMaService;
import cn.binarywang.wx.miniapp.api.impl.WxMaServiceImpl;
import cn.binarywang.wx.miniapp.bean.WxMaKefuMessage;
import cn.binarywang.wx.miniapp.config.impl.WxMaDefaultConfigImpl;
import com.google.gson.JsonObject;
import java.io.File;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.HexFormat;
import me.chanjar.weixin.common.error.WxErrorException;
import me.chanjar.weixin.mp.api.WxMpService;
import me.chanjar.weixin.mp.api.impl.WxMpServiceImpl;
import me.chanjar.weixin.mp.bean.kefu.WxMpKefuMessage;
import me.chanjar.weixin.mp.config.WxMpHostConfig;
import me.chanjar.weixin.mp.config.impl.WxMpDefaultConfigImpl;
import me.chanjar.weixin.open.api.impl.WxOpenInMemoryConfigStorage;
import me.chanjar.weixin.open.api.impl.WxOpenServiceImpl;

/** WxJava as a client of the hub: {@code Client mp|miniapp|open everything|message}. */
public class Client {
  private static final String WECHAT = "https://api.weixin.qq.com";
  private static final String HUB = System.getenv("HUB_WX");
  private static final String APPID = System.getenv("APPID");
  private static final String KEY = System.getenv("KEY");
  private static final String TOKEN = System.getenv("TOKEN");
  private static final WxMpHostConfig HOSTS =
      new WxMpHostConfig(HUB, "https://open.weixin.qq.com", "https://mp.weixin.qq.com");

  /** The addresses of its calls are constants. */
  static class HubOpenService extends WxOpenServiceImpl {
    @Override
    public String get(String url, String query) throws WxErrorException {
      return super.get(url.replace(WECHAT, HUB), query);
    }

    @Override
    public String post(String url, String body) throws WxErrorException {
      return super.post(url.replace(WECHAT, HUB), body);
    }
  }

  private static WxMpService officialAccount() {
    WxMpDefaultConfigImpl config = new WxMpDefaultConfigImpl();
    config.setAppId(APPID);
    config.setSecret(KEY);
    config.setHostConfig(HOSTS);
    if (TOKEN != null) config.updateAccessToken(TOKEN, 7200);
    WxMpService service = new WxMpServiceImpl();
    service.setWxMpConfigStorage(config);
    return service;
  }

  private static WxMaService miniProgram() {
    WxMaDefaultConfigImpl config = new WxMaDefaultConfigImpl();
    config.setAppid(APPID);
    config.setSecret(KEY);
    config.setApiHostUrl(HUB);
    if (TOKEN != null) config.updateAccessToken(TOKEN, 7200);
    WxMaService service = new WxMaServiceImpl();
    service.setWxMaConfig(config);
    return service;
  }

  private static WxMpService platform(JsonObject result, boolean everything) throws Exception {
    WxOpenInMemoryConfigStorage storage = new WxOpenInMemoryConfigStorage();
    storage.setComponentAppId(System.getenv("PLATFORM"));
    storage.setComponentAppSecret(KEY);
    storage.setAuthorizerRefreshToken(APPID, "any");
    String componentToken = System.getenv("COMPONENT_TOKEN");
    if (componentToken != null) storage.updateComponentAccessToken(componentToken, 7200);
    if (TOKEN != null) storage.updateAuthorizerAccessToken(APPID, TOKEN, 7200);
    HubOpenService open = new HubOpenService();
    open.setWxOpenConfigStorage(storage);
    if (everything) {
      var component = open.getWxOpenComponentService();
      result.addProperty("componentToken", component.getComponentAccessToken(false));
      String page = component.getPreAuthUrl("https://example.com/");
      result.addProperty("preAuthCode", page.replaceAll(".*pre_auth_code=([^&]*).*", "$1"));
    }
    WxMpService service = open.getWxOpenComponentService().getWxMpServiceByAppid(APPID);
    service.getWxMpConfigStorage().setHostConfig(HOSTS);
    return service;
  }

  private static void run(WxMpService service, JsonObject result, boolean everything)
      throws Exception {
    // It waits 1, 2, 4 … s after -1.
    service.setRetrySleepMillis(1);
    String text = System.getenv("TEXT");
    service
        .getKefuService()
        .sendKefuMessage(WxMpKefuMessage.TEXT().toUser("fake_openid").content(text).build());
    if (!everything) return;
    File file = new File(System.getenv("FILE"));
    String mediaId = service.getMaterialService().mediaUpload("image", file).getMediaId();
    noteFile(result, mediaId, service.getMaterialService().mediaDownload(mediaId));
    result.addProperty("token", service.getAccessToken());
  }

  private static void run(WxMaService service, JsonObject result, boolean everything)
      throws Exception {
    service.setRetrySleepMillis(1);
    String text = System.getenv("TEXT");
    WxMaKefuMessage message =
        WxMaKefuMessage.newTextBuilder().toUser("fake_openid").content(text).build();
    service.getMsgService().sendKefuMsg(message);
    if (!everything) return;
    File file = new File(System.getenv("FILE"));
    String mediaId = service.getMediaService().uploadMedia("image", file).getMediaId();
    noteFile(result, mediaId, service.getMediaService().getMedia(mediaId));
    result.addProperty("token", service.getAccessToken());
  }

  private static void noteFile(JsonObject result, String mediaId, File file) throws Exception {
    result.addProperty("mediaId", mediaId);
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file.toPath()));
    result.addProperty("sha256", HexFormat.of().formatHex(digest));
    Files.delete(file.toPath());
  }

  private static JsonObject outcome(String role, boolean everything) throws Exception {
    JsonObject result = new JsonObject();
    try {
      if (role.equals("miniapp")) run(miniProgram(), result, everything);
      else if (role.equals("mp")) run(officialAccount(), result, everything);
      else run(platform(result, everything), result, everything);
      return result;
    } catch (Throwable error) {
      JsonObject failed = new JsonObject();
      for (Throwable cause = error; cause != null; cause = cause.getCause()) {
        if (!(cause instanceof WxErrorException known)) continue;
        failed.addProperty("error", known.getError().getErrorCode());
        return failed;
      }
      failed.addProperty("error", error.toString());
      return failed;
    }
  }

  public static void main(String[] args) throws Exception {
    System.out.println(outcome(args[0], args[1].equals("everything")));
    System.exit(0);
  }
}
