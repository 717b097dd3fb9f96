import { HubError } from '../common/hub-error.js';

/** Official codes of WXBizMsgCrypt, by meaning. */
export const WechatCryptoErrcode = {
  signatureMismatch: -40001,
  xmlParseFailed: -40002,
  signatureComputationFailed: -40003,
  encodingAesKeyIllegal: -40004,
  appidMismatch: -40005,
  aesEncryptFailed: -40006,
  aesDecryptFailed: -40007,
  bufferIllegal: -40008,
  base64EncodeFailed: -40009,
  base64DecodeFailed: -40010,
  replyXmlFailed: -40011,
} as const;

/** How each code is answered; those not named are a fault of the body: 400 `push_undecryptable`. */
const ANSWERS: Record<number, { code: string; status: number }> = {
  [WechatCryptoErrcode.signatureMismatch]: { code: 'signature_invalid', status: 403 },
  [WechatCryptoErrcode.appidMismatch]: { code: 'appid_mismatch', status: 403 },
  [WechatCryptoErrcode.xmlParseFailed]: { code: 'xml_invalid', status: 400 },
  [WechatCryptoErrcode.encodingAesKeyIllegal]: { code: 'encoding_aes_key_illegal', status: 500 },
};

/** A push can't be accepted, or a reply can't be made; `errcode` is the official -400xx code. */
export class WechatCryptoError extends HubError {
  readonly errcode: number;

  constructor(errcode: number, message: string, cause?: unknown) {
    const { code, status } = ANSWERS[errcode] ?? { code: 'push_undecryptable', status: 400 };
    super(code, message, { status, level: 'warn', details: { errcode }, cause });
    this.errcode = errcode;
  }
}
