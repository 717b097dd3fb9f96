import { z } from 'zod';
import { NOT_XML } from '../wechat-crypto/wechat-xml.js';

/**
 * Most bytes of a text in UTF-8. WeChat's pages do not say it; what is longer is not shown, and the
 * user reads that the account is out of order (dodgepudding/wechat-php-sdk#363 found 2047). A
 * customer-service message is refused beyond 2048 (45002, as developers report): one limit for both.
 */
export const MAX_TEXT_BYTES = 2047;
/** Most bytes of a whole reply: what the column holds, encrypted and in base64, with room to spare. */
export const MAX_REPLY_BYTES = 32 * 1024;
/** Most articles; of a reply to a message WeChat shows the first alone. */
const MAX_ARTICLES = 8;

const text = z.string().refine((value) => !NOT_XML.test(value), {
  error: 'holds a character that XML does not allow',
});
const required = text.min(1, 'must not be empty');
const media = z.object({ MediaId: required });
/** All optional, as WeChat's page had them for years; an article of nothing is none. */
const article = z
  .object({
    Title: text.optional(),
    Description: text.optional(),
    PicUrl: text.optional(),
    Url: text.optional(),
  })
  .refine((value) => Object.keys(value).length > 0, { error: 'has no field of an article' });

/**
 * A passive reply (被动回复) as a responder may answer it in JSON: WeChat's own names, without what
 * the hub knows (ToUserName, FromUserName, CreateTime, ArticleCount). Other fields are left out. What
 * is optional and absent is not sent; what is given empty is sent empty.
 */
export const passiveReply = z.discriminatedUnion('MsgType', [
  z.object({ MsgType: z.literal('text'), Content: required }),
  z.object({ MsgType: z.literal('image'), Image: media }),
  z.object({ MsgType: z.literal('voice'), Voice: media }),
  z.object({
    MsgType: z.literal('video'),
    Video: media.extend({ Title: text.optional(), Description: text.optional() }),
  }),
  z.object({
    MsgType: z.literal('music'),
    Music: z.object({
      Title: text.optional(),
      Description: text.optional(),
      MusicUrl: text.optional(),
      HQMusicUrl: text.optional(),
      ThumbMediaId: required,
    }),
  }),
  z.object({
    MsgType: z.literal('news'),
    Articles: z.array(article).min(1).max(MAX_ARTICLES),
  }),
  z.object({
    MsgType: z.literal('transfer_customer_service'),
    TransInfo: z.object({ KfAccount: required }).optional(),
  }),
]);
export type PassiveReply = z.output<typeof passiveReply>;

/** The types that the hub knows. */
export const REPLY_TYPES: string[] = passiveReply.options.map(
  ({ shape }) => shape.MsgType.value as string,
);

/** One of each type, for the documentation. */
export const passiveReplyExamples: PassiveReply[] = [
  { MsgType: 'text', Content: '你好' },
  { MsgType: 'image', Image: { MediaId: 'fake_media_id' } },
  { MsgType: 'voice', Voice: { MediaId: 'fake_media_id' } },
  { MsgType: 'video', Video: { MediaId: 'fake_media_id', Title: '标题', Description: '描述' } },
  {
    MsgType: 'music',
    Music: {
      Title: '标题',
      Description: '描述',
      MusicUrl: 'https://music.example.com/a.mp3',
      HQMusicUrl: 'https://music.example.com/a-hq.mp3',
      ThumbMediaId: 'fake_media_id',
    },
  },
  {
    MsgType: 'news',
    Articles: [
      {
        Title: '标题',
        Description: '描述',
        PicUrl: 'https://img.example.com/a.jpg',
        Url: 'https://www.example.com/a',
      },
    ],
  },
  { MsgType: 'transfer_customer_service', TransInfo: { KfAccount: 'fake@account' } },
];

/** The replies for the OpenAPI document. */
export const passiveReplyDocs = {
  description:
    'The body of a 2xx, in JSON or as XML from <xml> on, in any charset that it names. A reply goes ' +
    'to WeChat in the format of its push. `results` are answers to events that want no message but ' +
    'a result: any object without MsgType is sent as it is.',
  schema: z.toJSONSchema(passiveReply),
  examples: passiveReplyExamples,
  results: [{ ErrCode: 0, ErrMsg: 'success' }],
};

/** What is wrong with a value, without repeating any of it. */
export function replyProblem(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return 'is malformed';
  const path = issue.path.join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
