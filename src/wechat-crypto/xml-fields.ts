/** A field: text, fields within it, or, where a name stands several times, the list of them. */
export type XmlValue = string | XmlFields | XmlValue[];
/** Fields of an element by their exact names; has no prototype. */
export interface XmlFields {
  [name: string]: XmlValue;
}
