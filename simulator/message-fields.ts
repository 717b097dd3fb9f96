import type { EventFields } from './push-text.js';

/** Fields of each message type (接收普通消息) behind MsgType, as a real message might have them. */
const MESSAGES: Readonly<Record<string, EventFields>> = {
  text: { Content: '你好，世界' },
  image: { PicUrl: 'http://mmbiz.qpic.invalid/image/0', MediaId: 'fake_image_media_id' },
  voice: { MediaId: 'fake_voice_media_id', Format: 'amr' },
  video: { MediaId: 'fake_video_media_id', ThumbMediaId: 'fake_thumb_media_id' },
  shortvideo: { MediaId: 'fake_shortvideo_media_id', ThumbMediaId: 'fake_thumb_media_id' },
  location: { Location_X: 23.134521, Location_Y: 113.358803, Scale: 20, Label: '广州市海珠区' },
  link: {
    Title: '公众平台官网链接',
    Description: '链接的描述',
    Url: 'https://www.example.com/article',
  },
  miniprogrampage: {
    Title: '小程序卡片',
    AppId: 'wx00000000000000aa',
    PagePath: 'pages/index/index?from=card',
    ThumbUrl: 'http://mmbiz.qpic.invalid/thumb/0',
    ThumbMediaId: 'fake_thumb_media_id',
  },
  file: {
    Title: 'report.zip',
    Description: '',
    FileKey: 'fake_file_key',
    FileMd5: '00000000000000000000000000000000',
    FileTotalLen: 222,
  },
};

const PICTURE: EventFields = {
  EventKey: 'picture_menu',
  SendPicsInfo: { Count: 1, PicList: { item: [{ PicMd5Sum: '0'.repeat(32) }] } },
};
const SCAN_CODE: EventFields = {
  EventKey: 'scan_menu',
  ScanCodeInfo: { ScanType: 'qrcode', ScanResult: 'https://www.example.com/scanned' },
};

/** Fields of each event behind Event; the names' case is WeChat's. */
const EVENTS: Readonly<Record<string, EventFields>> = {
  subscribe: { EventKey: '' },
  unsubscribe: { EventKey: '' },
  SCAN: { EventKey: 'scene_1', Ticket: 'fake_qr_ticket' },
  LOCATION: { Latitude: 23.137466, Longitude: 113.352425, Precision: 119.385 },
  CLICK: { EventKey: 'menu_key' },
  VIEW: { EventKey: 'https://www.example.com/menu' },
  scancode_push: SCAN_CODE,
  scancode_waitmsg: SCAN_CODE,
  pic_sysphoto: PICTURE,
  pic_photo_or_album: PICTURE,
  pic_weixin: PICTURE,
  location_select: {
    EventKey: 'location_menu',
    SendLocationInfo: {
      Location_X: '23',
      Location_Y: '113',
      Scale: '15',
      Label: '广州市海珠区',
      Poiname: '',
    },
  },
  TEMPLATESENDJOBFINISH: { MsgID: 200163836, Status: 'success' },
  MASSSENDJOBFINISH: {
    MsgID: 1000001625,
    Status: 'send success',
    TotalCount: 100,
    FilterCount: 80,
    SentCount: 75,
    ErrorCount: 5,
  },
  user_enter_tempsession: { SessionFrom: 'fake_session' },
  weapp_audit_success: { SuccTime: 1_760_000_000 },
  weapp_audit_fail: {
    Reason: '1:账号信息不符合规范',
    FailTime: 1_760_000_000,
    ScreenShot: 'fake_media_id_1|fake_media_id_2',
  },
  weapp_audit_delay: { Reason: '审核延迟', DelayTime: 1_760_000_000 },
  wxa_nickname_audit: { ret: 3, nickname: '新的名称', reason: '' },
  wxa_privacy_apply: {
    result_info: {
      api_name: 'wx.getLocation',
      apply_time: 1_760_000_000,
      audit_id: 4211202267,
      audit_time: 1_760_000_000,
      reason: '',
      status: 1,
    },
  },
  debug_demo: { debug_str: 'hello world' },
};

/** The message types that the simulator knows. */
export const MESSAGE_TYPES: readonly string[] = Object.keys(MESSAGES);

/** The events that the simulator knows. */
export const EVENT_TYPES: readonly string[] = Object.keys(EVENTS);

/** The usual fields of a message type; none for one that the simulator does not know. */
export function messageFields(msgType: string): EventFields {
  return Object.hasOwn(MESSAGES, msgType) ? (MESSAGES[msgType] ?? {}) : {};
}

/** The usual fields of an event; none for one that the simulator does not know. */
export function eventFields(event: string): EventFields {
  return Object.hasOwn(EVENTS, event) ? (EVENTS[event] ?? {}) : {};
}
