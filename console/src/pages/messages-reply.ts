/** What a passive reply says: XML or JSON, as it was written before its encryption. */
export interface ReadReply {
  /** MsgType; '' where there is none, as of a result. */
  type: string;
  /** The text of a text. */
  content: string;
}

export function replyOf(text: string): ReadReply {
  const start = text.trimStart();
  return start.startsWith('{') ? fromJson(start) : fromXml(start);
}

function fromJson(text: string): ReadReply {
  try {
    const { MsgType, Content } = JSON.parse(text) as Record<string, unknown>;
    return { type: String(MsgType ?? ''), content: typeof Content === 'string' ? Content : '' };
  } catch {
    return { type: '', content: '' };
  }
}

/** Without the browser's parser: what it would make of a hostile document is not wanted. */
function fromXml(text: string): ReadReply {
  return { type: elementOf(text, 'MsgType'), content: elementOf(text, 'Content') };
}

const ENTITIES: Record<string, string> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&amp;': '&',
};

function elementOf(text: string, name: string): string {
  const open = text.indexOf(`<${name}>`);
  const close = text.indexOf(`</${name}>`, open);
  if (open < 0 || close < 0) return '';
  const inner = text.slice(open + name.length + 2, close).trim();
  if (!inner.startsWith('<![CDATA[')) {
    return inner.replaceAll(/&(?:lt|gt|quot|apos|amp);/g, (entity) => ENTITIES[entity] ?? entity);
  }
  return inner.replaceAll('<![CDATA[', '').replaceAll(']]>', '');
}
