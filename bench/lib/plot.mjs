const WIDTH = 760;
const HEIGHT = 440;
const AREA = { left: 80, right: 700, top: 60, bottom: 350 };
const COLOURS = ['#1f6fb4', '#c2571a', '#3c7d3c'];
const TEXT = 'font-family="sans-serif" font-size="13" fill="#333"';

/**
 * Lines over two logarithmic axes, as an SVG picture.
 * @param {{ title: string, xTitle: string, yTitle: string,
 *   lines: { name: string, dashed?: boolean, points: [number, number][] }[] }} what
 */
export function plot({ title, xTitle, yTitle, lines }) {
  const all = lines.flatMap(({ points }) => points);
  const x = axis(
    all.map(([value]) => value),
    AREA.left,
    AREA.right,
  );
  const y = axis(
    all.map(([, value]) => value),
    AREA.bottom,
    AREA.top,
  );
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${AREA.left}" y="24" ${TEXT} font-weight="bold">${title}</text>`,
    ...x.ticks.map((value) => verticalTick(x.at(value), value)),
    ...y.ticks.map((value) => horizontalTick(y.at(value), value)),
    `<text x="${AREA.right}" y="${AREA.bottom + 42}" text-anchor="end" ${TEXT}>${xTitle}</text>`,
    `<text x="${AREA.left - 60}" y="46" ${TEXT}>${yTitle}</text>`,
    ...lines.flatMap((line, index) => drawn(line, index, x, y)),
  ];
  const frame = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}"`;
  return `<svg ${frame} role="img" aria-label="${title}">\n${parts.join('\n')}\n</svg>\n`;
}

/** A logarithmic axis over whole powers of ten. */
function axis(values, from, to) {
  const least = Math.floor(Math.log10(Math.min(...values)));
  const most = Math.max(Math.ceil(Math.log10(Math.max(...values))), least + 1);
  const at = (value) => from + ((Math.log10(value) - least) / (most - least)) * (to - from);
  return { at, ticks: Array.from({ length: most - least + 1 }, (_, step) => 10 ** (least + step)) };
}

function verticalTick(at, value) {
  const line = `<path d="M${round(at)} ${AREA.top}V${AREA.bottom}" stroke="#ddd"/>`;
  const label = `<text x="${round(at)}" y="${AREA.bottom + 20}" text-anchor="middle" ${TEXT}>`;
  return `${line}${label}${value.toLocaleString('en')}</text>`;
}

function horizontalTick(at, value) {
  const line = `<path d="M${AREA.left} ${round(at)}H${AREA.right}" stroke="#ddd"/>`;
  const label = `<text x="${AREA.left - 8}" y="${round(at) + 4}" text-anchor="end" ${TEXT}>`;
  return `${line}${label}${value.toLocaleString('en')}</text>`;
}

function drawn({ name, dashed, points }, index, x, y) {
  const colour = COLOURS[index % COLOURS.length];
  const places = points.map(([px, py]) => `${round(x.at(px))} ${round(y.at(py))}`);
  const style = `fill="none" stroke="${colour}" stroke-width="2"`;
  const dash = dashed ? ' stroke-dasharray="6 5"' : '';
  const dots = dashed ? [] : places.map((place) => dot(place, colour));
  const legendX = AREA.left + index * 210;
  const legend =
    `<path d="M${legendX} ${HEIGHT - 20}h24" ${style}${dash}/>` +
    `<text x="${legendX + 30}" y="${HEIGHT - 16}" ${TEXT}>${name}</text>`;
  return [`<path d="M${places.join('L')}" ${style}${dash}/>`, ...dots, legend];
}

function dot(place, colour) {
  const [cx, cy] = place.split(' ');
  return `<circle cx="${cx}" cy="${cy}" r="4" fill="${colour}"/>`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
