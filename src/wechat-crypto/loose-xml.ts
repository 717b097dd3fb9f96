import type { XmlFields, XmlValue } from './xml-fields.js';
import { remark } from '../common/remarks.js';

/** Deepest nesting that is read. */
const MAX_DEPTH = 32;
/** Most fields of one document that are read. */
const MAX_FIELDS = 10_000;
/** Most faults after which the rest is left unread: each may cost a look through the whole text. */
const MAX_FAULTS = 20;
const SPACE = /[ \t\r\n]*/y;
// Each character of what follows the name can be read in one way only: nobody can make it be tried again.
const START_TAG =
  /<([A-Za-z_:\u0080-\uFFFF][\w.:\-\u0080-\uFFFF]{0,127})(?:[ \t\r\n](?:[^<>"']|"[^<"]*"|'[^<']*')*|\/)?>/y;
/** What is markup anywhere: `a < b` is none. */
const MARKUP = /<[A-Za-z_:!?/\u0080-\uFFFF]/;
const ANY_END_TAG = /<\/[^<>]*>/y;
const CDATA = '<![CDATA[';
const CDATA_END = ']]>';
const REFERENCE = /&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([\da-f]{1,6}));/gi;
const NAMED: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** What could be read of a document, and the first thing that kept the rest from being read. */
export interface LooseXml {
  fields: XmlFields;
  /** Null where everything was read. Holds nothing of the text. */
  problem: string | null;
}

/**
 * Reads the fields of XML that is not well-formed, as far as it goes: WeChat puts what users type
 * into CDATA without looking for CDATA's own end in it, and other senders are no better. A CDATA
 * section ends where the end tag of its field follows. Declarations and entities are passed by, not
 * followed. Never throws.
 */
export function readLooseXml(xml: string): LooseXml {
  return new LooseXmlReader(xml).document();
}

class LooseXmlReader {
  private at = 0;
  private count = 0;
  private faults = 0;
  private problem: string | null = null;
  /** Ends that no longer come: none of them is looked for twice. */
  private readonly missing = new Set<string>();

  constructor(private readonly xml: string) {}

  document(): LooseXml {
    this.skipToRoot();
    const root = this.match(START_TAG);
    const fields = noFields();
    if (!root) return { fields, problem: remark('xml_none') };
    if (!isEmptyTag(root)) {
      this.children(fields, root[1] ?? '', 1);
      this.match(SPACE);
      if (this.goesOn() && this.at < this.xml.length) this.fault(remark('xml_follows'));
    }
    return { fields, problem: this.problem };
  }

  /** Instructions and comments may come before the root; anything else is a fault. */
  private skipToRoot(): void {
    const { xml } = this;
    let from = 0;
    for (let at = xml.indexOf('<'); at !== -1; at = xml.indexOf('<', from)) {
      if (xml.slice(from, at).trim() !== '') this.fault(remark('xml_before'));
      this.at = at;
      START_TAG.lastIndex = at;
      if (START_TAG.test(xml)) return;
      from = this.endOf('<!--', '-->') ?? this.endOf('<?', '?>') ?? at + 1;
      if (xml.startsWith('<!D', at)) this.fault(remark('xml_doctype'));
      else if (from === at + 1) this.fault(remark('xml_markup'));
    }
  }

  /** Where something that begins here ends; undefined where it does not begin here, or not end. */
  private endOf(begin: string, end: string): number | undefined {
    const { xml, at } = this;
    if (!xml.startsWith(begin, at) || this.missing.has(end)) return undefined;
    const found = xml.indexOf(end, at + begin.length);
    if (found !== -1) return found + end.length;
    this.missing.add(end);
    return undefined;
  }

  /** From behind a start tag to behind its end tag, or to where reading ends. */
  private children(fields: XmlFields, parent: string, depth: number): void {
    while (this.goesOn()) {
      const from = this.at;
      const open = this.xml.indexOf('<', from);
      if (open === -1) {
        this.at = this.xml.length;
        this.fault(remark('xml_end'));
        return;
      }
      if (this.xml.slice(from, open).trim() !== '') this.fault(remark('xml_outside'));
      this.at = open;
      if (this.matchEnd(parent)) return;
      const start = this.match(START_TAG);
      if (start) this.field(fields, start[1] ?? '', isEmptyTag(start), depth);
      else this.skipMarkup();
    }
  }

  private field(fields: XmlFields, name: string, empty: boolean, depth: number): void {
    this.count += 1;
    if (this.count > MAX_FIELDS) return this.giveUp(remark('xml_many'));
    if (empty) return add(fields, name, '');
    const from = this.at;
    this.match(SPACE);
    if (this.xml.startsWith(CDATA, this.at)) return add(fields, name, this.cdata(name));
    START_TAG.lastIndex = this.at;
    if (!START_TAG.test(this.xml)) {
      this.at = from;
      return add(fields, name, this.text(name));
    }
    if (depth >= MAX_DEPTH) return this.giveUp(remark('xml_deep'));
    const within = noFields();
    add(fields, name, within);
    this.children(within, name, depth + 1);
  }

  /** The end of CDATA is the first that the field's end tag follows: users type the others. */
  private cdata(name: string): string {
    const from = this.at + CDATA.length;
    for (
      let end = this.xml.indexOf(CDATA_END, from);
      end !== -1;
      end = this.xml.indexOf(CDATA_END, end + 1)
    ) {
      this.at = end + CDATA_END.length;
      this.match(SPACE);
      if (this.matchEnd(name)) return joined(this.xml.slice(from, end));
    }
    this.at = this.xml.length;
    this.fault(remark('xml_field'));
    const rest = this.xml.slice(from);
    return rest.endsWith(CDATA_END) ? rest.slice(0, -CDATA_END.length) : rest;
  }

  private text(name: string): string {
    const from = this.at;
    for (
      let end = this.xml.indexOf('</', from);
      end !== -1;
      end = this.xml.indexOf('</', end + 1)
    ) {
      this.at = end;
      if (!this.matchEnd(name)) continue;
      const text = this.xml.slice(from, end);
      if (MARKUP.test(text)) this.fault(remark('xml_text_markup'));
      return resolved(text);
    }
    const next = this.xml.indexOf('<', from);
    this.at = next === -1 ? this.xml.length : next;
    this.fault(remark('xml_field'));
    return resolved(this.xml.slice(from, this.at));
  }

  /** Comments, declarations, instructions, end tags of nothing, and a bare `<`. */
  private skipMarkup(): void {
    const comment = this.endOf('<!--', '-->');
    if (comment !== undefined) {
      this.at = comment;
      return;
    }
    if (this.match(ANY_END_TAG)) return this.fault(remark('xml_end_tag'));
    this.at += 1;
    this.fault(remark('xml_markup'));
  }

  private matchEnd(name: string): boolean {
    const { xml, at } = this;
    if (!xml.startsWith('</', at) || !xml.startsWith(name, at + 2)) return false;
    SPACE.lastIndex = at + 2 + name.length;
    SPACE.test(xml);
    const end = SPACE.lastIndex;
    if (xml[end] !== '>') return false;
    this.at = end + 1;
    return true;
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.xml) ?? undefined;
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  private goesOn(): boolean {
    return this.faults < MAX_FAULTS;
  }

  private fault(problem: string): void {
    this.faults += 1;
    this.problem ??= problem;
  }

  private giveUp(problem: string): void {
    this.fault(problem);
    this.faults = MAX_FAULTS;
  }
}

function isEmptyTag([tag]: RegExpExecArray): boolean {
  return tag.endsWith('/>');
}

function noFields(): XmlFields {
  return Object.create(null) as XmlFields;
}

function add(fields: XmlFields, name: string, value: string | XmlFields): void {
  const known: XmlValue | undefined = fields[name];
  if (known === undefined) fields[name] = value;
  else if (Array.isArray(known)) known.push(value);
  else fields[name] = [known, value];
}

/** A section that was split where its text had the end of CDATA, as careful senders do. */
function joined(text: string): string {
  return text.replaceAll(`${CDATA_END}${CDATA}`, '');
}

function resolved(text: string): string {
  return text.replace(REFERENCE, (whole, named?: string, decimal?: string, hex?: string) => {
    if (named) return NAMED[named.toLowerCase()] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex ?? '', 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
