import { most } from './results.mjs';

const WIDTH = 760;
const HEIGHT = 280;
const LEFT = 64;
const RIGHT = 16;
const TOP = 40;
const BOTTOM = 44;
/** Told apart by people who see few colours, on light and on dark. */
const COLOURS = ['#0b7a4b', '#c2410c', '#2563eb', '#9333ea'];
const STEPS = 5;

/**
 * Line charts below each other, as a picture for a page on light or dark ground.
 * @param {{ title: string, x: string, y: string, series: { name: string, points: [number, number][] }[] }[]} charts
 */
export function lineCharts(charts) {
  const body = charts.map((chart, index) => oneChart(chart, index * HEIGHT)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT * charts.length}" width="${WIDTH}" font-family="sans-serif" font-size="12">
<style>text { fill: #333 } .grid { stroke: #8884; stroke-width: 1 } path { fill: none; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }</style>
${body}
</svg>
`;
}

function oneChart({ title, x, y, series }, offset) {
  const all = series.flatMap(({ points }) => points);
  const [xs, ys] = [all.map(([one]) => one), all.map(([, one]) => one)];
  const [minX, maxX] = [-most(xs.map((value) => -value)), most(xs)];
  const top = roundUp(most(ys));
  const atX = (value) => LEFT + ((value - minX) / (maxX - minX)) * (WIDTH - LEFT - RIGHT);
  const atY = (value) => offset + HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const grid = ticks(0, top).map((value) => {
    const line = atY(value).toFixed(1);
    return (
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${line}" y2="${line}"/>` +
      `<text x="${LEFT - 6}" y="${atY(value) + 4}" text-anchor="end">${tick(value)}</text>`
    );
  });
  const foot = ticks(minX, maxX).map(
    (value) =>
      `<text x="${atX(value)}" y="${offset + HEIGHT - BOTTOM + 16}" text-anchor="middle">${tick(value)}</text>`,
  );
  const lines = series.map(({ points }, index) => {
    const path = points.map(([px, py]) => `${atX(px).toFixed(1)},${atY(py).toFixed(1)}`).join('L');
    return `<path d="M${path}" stroke="${COLOURS[index]}"/>`;
  });
  const names = series.map(({ name }, index) => {
    const left = LEFT + (index * (WIDTH - LEFT - RIGHT)) / series.length;
    const line = offset + TOP - 8;
    return (
      `<rect x="${left}" y="${line - 9}" width="10" height="10" fill="${COLOURS[index]}"/>` +
      `<text x="${left + 15}" y="${line}">${name}</text>`
    );
  });
  return [
    `<text x="${LEFT}" y="${offset + 16}" font-weight="bold">${title}: ${y}</text>`,
    ...grid,
    ...foot,
    ...lines,
    ...names,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${offset + HEIGHT - 10}" text-anchor="middle">${x}</text>`,
  ].join('\n');
}

function ticks(from, to) {
  const step = roundUp((to - from) / STEPS);
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step);
}

function tick(value) {
  return Number(value.toPrecision(3)).toLocaleString('en');
}

/** The next of 1, 2, 2.5, 5 and 10 times a power of ten. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 2, 2.5, 5].find((one) => one * power >= value) ?? 10) * power;
}
