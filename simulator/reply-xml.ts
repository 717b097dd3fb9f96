/** Text, fields, or several of one name. */
export type ReplyValue = string | ReplyFields | (string | ReplyFields)[];

export interface ReplyFields {
  [name: string]: ReplyValue;
}

/** Reads the fields below `<xml>`; throws for anything but elements, text and CDATA. */
export function readReplyXml(text: string): ReplyFields {
  const reader = new ReplyXmlReader(text);
  const [name, value] = reader.element();
  if (name !== 'xml' || typeof value === 'string' || !reader.atEnd()) {
    throw new Error('it is not one <xml> with fields');
  }
  return value;
}

/** Reads elements one after the other. */
class ReplyXmlReader {
  private position = 0;

  constructor(private readonly text: string) {}

  element(): [string, string | ReplyFields] {
    const name = this.take(/<([A-Za-z_][\w.-]*)>/y);
    if (name === undefined) throw new Error(`it has no element at character ${this.position}`);
    const fields: ReplyFields = {};
    let text = '';
    for (;;) {
      const closed = this.take(/<\/([\w.-]+)>/y);
      if (closed === name) return [name, Object.keys(fields).length > 0 ? fields : text];
      if (closed !== undefined) throw new Error(`</${closed}> ends <${name}>`);
      const characters = this.take(/<!\[CDATA\[([\s\S]*?)\]\]>/y) ?? this.take(/([^<&]+)/y);
      if (characters === undefined) add(fields, ...this.element());
      else text += characters;
    }
  }

  atEnd(): boolean {
    return this.text.slice(this.position).trim() === '';
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text);
    if (found) this.position = pattern.lastIndex;
    return found?.[1];
  }
}

function add(fields: ReplyFields, name: string, value: string | ReplyFields): void {
  const before = fields[name];
  fields[name] = before === undefined ? value : [before, value].flat();
}
