/**
 * What the hub says of what went wrong where it keeps a record: of deliveries, replies, calls of
 * WeChat, settings. Kept and logged in these words; {@link remarkIn} gives their code to readers of
 * other languages, also of records of earlier versions. `{name}` is the place of a fact, `{why}` of
 * a further remark.
 */
export const REMARKS = {
  // Calls of targets.
  target_answered: 'The target answered HTTP {status}',
  target_redirected: 'The target answered HTTP {status}; redirects are not followed',
  target_switched: 'The target answered HTTP 101, and was not asked to',
  target_silent: 'No answer within {ms} ms',
  call_ended: 'The call was ended',
  connection_failed: 'The connection failed: {code}',
  connection_closed: 'The connection was closed',
  connection_none: 'No connection: {why}',
  answer_no_http: 'The answer is not HTTP, or its headers are too large: {code}',
  answer_cut: 'The answer ended before it was complete',
  answer_too_large: 'The answer is larger than 256 KiB',
  answer_informational: 'Too many informational answers',
  answer_before_status: 'Too much came before the status',
  answer_not_utf8: 'The answer is not UTF-8, and it names no charset',
  answer_not_charset: 'The answer is not {charset}, as it says',
  answer_charset_unknown: 'The answer names a charset that is not known',
  url_malformed: 'The URL is malformed, or longer than 2048 characters',
  url_scheme: 'The URL must be http or https',
  url_port: 'The URL must not have port 0: nothing listens',
  url_user: 'The URL must not hold a user or a password',
  target_private: 'The target has a private address; DELIVERY_ALLOWED_TARGETS can allow it',
  proxy_silent: 'the proxy {proxy} did not answer within {ms} ms',
  proxy_unreachable: 'the proxy {proxy} cannot be reached: {code}',
  proxy_ended: 'the proxy {proxy} ended the connection',
  proxy_unneeded: 'the proxy {proxy} was no longer needed',
  proxy_password: 'the proxy {proxy} refused its user and password, or wants some: HTTP 407',
  proxy_refused: 'the proxy {proxy} did not let the call through: HTTP {status}',
  proxy_no_http: 'the proxy {proxy} does not speak HTTP',
  // Deliveries.
  push_not_sent: 'The push could not be sent',
  push_undecryptable: "The stored push can't be decrypted",
  push_gone: 'The push is no longer stored',
  delivery_cancelled: 'Cancelled by a person',
  subscription_removed: 'The subscription was removed',
  target_gone: 'The target answered that it is gone (HTTP 410)',
  target_failed_days: 'The target has failed for {days} days',
  // Replies of responders.
  reply_late: 'The answer came too late for WeChat',
  reply_late_kept: 'The answer came too late for WeChat; the push gets it when it comes again',
  reply_late_sent: 'The answer came too late for WeChat; it was sent as a customer-service message',
  reply_late_sent_parts:
    'The answer came too late for WeChat; it was sent as {parts} customer-service messages',
  reply_late_sent_some:
    'The answer came too late for WeChat; {sent} of {parts} customer-service messages were sent: {why}',
  reply_late_not_sent: 'The late reply could not be sent as a customer-service message: {why}',
  reply_cut: 'The text is longer than {limit} bytes and was cut: {count} were not sent',
  reply_rest_sent:
    'The text is longer than {limit} bytes; the rest was sent as 1 customer-service message',
  reply_rest_sent_parts:
    'The text is longer than {limit} bytes; the rest was sent as {parts} customer-service messages',
  reply_rest_sent_some:
    'The text is longer than {limit} bytes; {sent} of {parts} customer-service messages with the rest were sent: {why}',
  reply_rest_not_sent: 'The text is longer than {limit} bytes; the rest was not sent: {why}',
  message_text_only: 'only a text can be sent then',
  message_no_more: 'WeChat allows no more',
  message_too_slow: 'WeChat was too slow',
  message_user_unknown: 'The push does not say from whom it is',
  failed: 'it failed',
  reply_unusable: 'The answer is not usable',
  reply_invalid: 'The answer is no reply: {why}',
  reply_html: 'it is HTML',
  reply_no_xml: 'malformed XML: it begins with no <xml>',
  reply_list: 'it is a list, and no object',
  reply_neither: 'it is neither JSON nor XML',
  reply_character: 'it holds a character that XML does not allow',
  reply_mixed: 'a field is text in one place and a number in another',
  reply_too_many_fields: 'it has more than {limit} bytes, in too many fields',
  reply_too_long: 'it has more than {limit} bytes',
  reply_json_deep: 'JSON that is too deep',
  reply_json_malformed: 'malformed JSON',
  reply_xml_malformed: 'malformed XML',
  reply_xml_mixed: 'JSON has no form for attributes, nor for text between elements',
  reply_xml_empty_list: 'XML has no form for an empty list',
  reply_xml_name: 'a field has a name that is none',
  reply_xml_null: 'XML has no form for null, nor for a list in a list',
  reply_xml_character: 'a field holds a character that XML does not allow',
  reply_nobody: 'the push does not say from whom and to whom it is',
  reply_no_type: 'MsgType is missing',
  reply_no_field: 'it has no field',
  reply_near_type: 'MsgType is {type}, in these letters',
  reply_plain: 'it is not encrypted',
  reply_signature: "its MsgSignature is not that of the subscription's Token",
  reply_undecryptable: 'it does not decrypt: {reason}',
  // Calls of WeChat, and exchanges.
  wechat_refused: 'WeChat refused {path}: {errcode} {errmsg}',
  wechat_refused_ip:
    "WeChat refused {path}: {errcode} {errmsg}; add {address} to the platform's IP white list",
  wechat_silent: 'The call of {path} did not answer in time',
  wechat_silent_by: 'The call of {path} through the proxy {proxy} did not answer in time',
  wechat_failed: 'The call of {path} failed: {why}',
  wechat_failed_by: 'The call of {path} through the proxy {proxy} failed: {code}',
  wechat_status: '{path} answered HTTP {status}',
  wechat_unreadable: '{path} answered something that is not an answer',
  exchange_failed: 'The exchange failed',
  refresh_failed: 'The refresh failed',
  unexpected: 'an unexpected error',
  unexpected_code: 'an unexpected error ({code})',
  // Pushes that could not be read in full.
  json_no_object: 'The JSON is not an object',
  json_malformed: 'The JSON is not well-formed',
  json_deep: 'The JSON is too deep',
  xml_none: 'The text is neither XML nor JSON',
  xml_follows: 'Something follows the document',
  xml_before: 'Text comes before the document',
  xml_doctype: 'The XML declares a document type',
  xml_markup: 'The XML has markup that is none',
  xml_end: 'The XML ends before its end',
  xml_outside: 'Text stands outside of fields',
  xml_many: 'The XML has too many fields',
  xml_deep: 'The XML is too deep',
  xml_field: 'A field does not end',
  xml_text_markup: 'A text holds markup',
  xml_end_tag: 'An end tag ends nothing',
  // Settings.
  setting_allowed: '{name} {why}, as ALLOW_INSECURE says',
  setting_http_api: 'sends AppSecret and tokens over http: to another machine, readable on the way',
  setting_tls_off: 'is 0: no certificate would be verified, of WeChat, of targets, of the database',
  setting_tls_keylog:
    'has --tls-keylog: the keys of every TLS connection would be written to a file',
  setting_debug: 'makes Node write headers and addresses with tokens to stderr',
  setting_wide_targets: 'has a range that is wider than any private network',
  setting_public_http:
    'PUBLIC_URL is http: on a public host: what browsers send can be read on the way',
  setting_origin_http: 'AUTHORIZATION_RETURN_ORIGINS has an http: origin on a public host',
  setting_window:
    'CALLBACK_TIMESTAMP_WINDOW_SECONDS is over an hour: captured pushes stay good as long',
  setting_tls_unverified:
    "DATABASE_URL does not verify the server's certificate: anybody on the way can pose as it",
  setting_no_tls: 'DATABASE_URL has no TLS to a host that is not of this network; add ?tls=true',
  setting_file_mode: '{file} can be read by other users of this machine; chmod 600 {file}',
  // The release check.
  check_reply: 'reply: {text}',
  check_empty: 'empty answer',
  check_no_ticket: 'skipped: no ticket has arrived yet',
  check_no_code: 'not checked: no authorization code was given',
  check_other_host: 'not checked: not in the hands of this host; see the others’ logs',
  check_not_sent: 'not sent within {ms} ms',
  check_sent: 'sent',
  check_silent: 'no answer within {ms} ms',
  check_wrong_reply: 'a reply to somebody else, or of no text',
  check_unreadable: 'no answer that WeChat can read: {reason}',
  check_internal: 'internal error',
  // The doctor's lines.
  line_failing: '{name} ({id}) · failing',
  line_disabled: '{name} ({id}) · {why}',
  line_deliveries_proxied:
    'Deliveries go through the proxy, too, where NO_PROXY does not name them',
  line_deliveries_direct: 'Deliveries go directly: DELIVERY_USE_PROXY is not true',
} as const;

export type RemarkCode = keyof typeof REMARKS;

type Places<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Places<Rest>
  : never;
/** What a remark puts into its places. */
type Facts<C extends RemarkCode> = Record<Places<(typeof REMARKS)[C]>, string | number>;

/** A remark in words. */
export type Remark = string & { readonly isRemark: true };

export function remark<C extends RemarkCode>(
  code: C,
  ...[facts]: [Places<(typeof REMARKS)[C]>] extends [never] ? [] : [facts: Facts<C>]
): Remark {
  const values = (facts ?? {}) as Record<string, string | number>;
  return withFacts(REMARKS[code], values) as Remark;
}

/** A sentence with its facts in the places that are named for them. */
export function withFacts(sentence: string, facts: Record<string, string | number>): string {
  return sentence.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? ''));
}

/** A remark by its code, with its facts; `why` is one that is within it. */
export interface ReadRemark {
  code: RemarkCode;
  facts: Record<string, string>;
  why: Omit<ReadRemark, 'why'> | null;
}

/** Longer texts hold words of others: they are not looked through. */
const LONGEST = 1000;

/** The most words first: "it has no field" before "it has {…}". */
const FORMS = Object.entries(REMARKS)
  .map(([code, text]) => {
    const names = [...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const literals = text.split(/\{\w+\}/);
    const [start = ''] = literals;
    const form = literals
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('(.+?)');
    const weight = literals.join('').length;
    return { code: code as RemarkCode, names, start, weight, form: new RegExp(`^${form}$`, 's') };
  })
  .toSorted((one, other) => other.weight - one.weight);
const EXACT = new Map(
  FORMS.filter(({ names }) => names.length === 0).map(({ code, start }) => [start, code]),
);
const WITH_FACTS = FORMS.filter(({ names }) => names.length > 0);

/** The remark that a text is; null where it is none of the hub's, or not whole. */
export function remarkIn(text: string | null): ReadRemark | null {
  const found = read(text);
  return found && { ...found, why: read(found.facts['why'] ?? null) };
}

function read(text: string | null): Omit<ReadRemark, 'why'> | null {
  if (text === null || text.length > LONGEST) return null;
  const exact = EXACT.get(text);
  if (exact) return { code: exact, facts: {} };
  for (const { code, names, start, form } of WITH_FACTS) {
    if (!text.startsWith(start)) continue;
    const values = form.exec(text)?.slice(1);
    if (values) {
      return { code, facts: Object.fromEntries(names.map((name, at) => [name, values[at] ?? ''])) };
    }
  }
  return null;
}
