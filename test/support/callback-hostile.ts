/** Bodies that no WeChat ever sent: each must cost no more than its reading. */

const MEBIBYTE = 1024 * 1024;

/** Ten levels of entities, each ten of the one before: 10^10 characters for who expands them. */
export function entityBomb(): string {
  const levels = Array.from({ length: 10 }, (_, level) => {
    const inner = level === 0 ? 'ha' : `&e${level - 1};`.repeat(10);
    return `<!ENTITY e${level} "${inner}">`;
  });
  return `<!DOCTYPE xml [${levels.join('')}]><xml><Encrypt>&e9;</Encrypt></xml>`;
}

/** Elements within elements. */
export function nested(levels: number, opening = ''): string {
  return `<xml>${opening}${'<a>'.repeat(levels)}${'</a>'.repeat(levels)}</xml>`;
}

/** Deep nesting behind what a careless scanner takes for CDATA. */
export function hiddenNesting(levels: number): string {
  return nested(levels, '<b c="><![CDATA["/>').replace('</xml>', '<d>]]&gt;]]></d></xml>');
}

/** XML of exactly `bytes` bytes with everything in one `Encrypt`. */
export function longEncrypt(bytes: number): string {
  const start = '<xml><Encrypt>';
  const end = '</Encrypt></xml>';
  return start + 'A'.repeat(bytes - start.length - end.length) + end;
}

/** A mix of all of them, by number. */
export function hostileBody(index: number): string | Buffer {
  const kinds = [
    entityBomb,
    () => nested(150_000),
    () => hiddenNesting(100_000),
    () => `<xml>${'<a>1</a>'.repeat(120_000)}</xml>`,
    () => Buffer.alloc(MEBIBYTE, index % 256),
    () => longEncrypt(MEBIBYTE),
    () => `<xml><Encrypt>${'&amp;'.repeat(200_000)}</Encrypt></xml>`,
    () => `<a ${'b="<" '.repeat(150_000)}`,
    () => `<xml>${'<![CDATA[x]]>'.repeat(80_000)}`,
    () => `<xml>${'<!--x-->'.repeat(130_000)}`,
  ];
  return kinds[index % kinds.length]?.() ?? '';
}
