/**
 * @file Draws docs/results/*.svg from the CSVs beside them: `node scripts/plot-results.mjs`. Colours are mid-tones on a
 * transparent ground, so that the pictures read on light and dark pages; runs differ in dash as well as in colour.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const FOLDER = new URL('../docs/results/', import.meta.url);
const INK = '#7a7a7a';
const STYLES = [
  { colour: '#3b82c4', dash: '' },
  { colour: '#d9771a', dash: '6 3' },
  { colour: '#1a9a72', dash: '2 3' },
];
const PANEL = { width: 380, height: 240, left: 46, right: 14, top: 52, bottom: 38 };

const ACCURACY = {
  title: 'accuracy',
  held: 'eval_accuracy',
  batch: 'rewards/accuracy/mean',
  ticks: [0, 0.25, 0.5, 0.75, 1],
};
const length = (ticks) => ({
  title: 'mean completion length, tokens',
  held: 'eval_mean_length',
  batch: 'completions/mean_length',
  ticks,
});
const LOSS = { title: 'loss, mean of 20 steps (log scale)', batch: 'loss', ticks: [0.8, 1, 1.5, 2, 3, 4], log: true };
const RUN_STEPS = [0, 40, 80, 120, 160];
const LONG = [0, 20, 40, 60, 80];

const figures = [
  { name: 'sums', runs: ['sums-seed3', 'sums-seed4', 'sums-seed5'], panels: [ACCURACY, length(LONG)] },
  {
    name: 'sums-remote',
    runs: ['sums-seed3', 'sums-remote-seed3', 'sums-remote-2gpus-seed3'],
    labels: ['here', 'sidecar', 'sidecar, 2 GPUs'],
    panels: [ACCURACY, length(LONG)],
  },
  {
    name: 'countdown',
    runs: ['countdown-seed3', 'countdown-seed4', 'countdown-seed5'],
    panels: [ACCURACY, length([0, 10, 20, 30])],
  },
  { name: 'multiplication', runs: ['multiplication-seed3'], panels: [ACCURACY, length([0, 20, 40, 60])] },
  { name: 'parity', runs: ['parity-seed3'], panels: [ACCURACY, length([0, 25, 50, 75, 100])] },
  { name: 'collapse', runs: ['collapse-seed3', 'collapse-seed4'], panels: [ACCURACY, length([0, 25, 50, 75, 100])] },
  { name: 'pretrain-curve', runs: ['pretrain-curve'], panels: [LOSS], steps: [0, 2000, 4000, 6000, 8000] },
];

/** Rows of a CSV by column name; an empty cell is NaN. */
function readCsv(name) {
  const [head, ...lines] = readFileSync(new URL(`${name}.csv`, FOLDER), 'utf8')
    .trim()
    .split('\n');
  const names = head.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return Object.fromEntries(names.map((column, i) => [column, cells[i] === '' ? NaN : Number(cells[i])]));
  });
}

const text = (x, y, anchor, content, size = 11) =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}">${content}</text>`;

/** [step, value] pairs of a column, without its empty cells. */
const series = (rows, column) =>
  rows.map((row) => [row.step, row[column]]).filter(([, value]) => Number.isFinite(value));

function panel({ title, held, batch, ticks, log = false }, runs, steps, left) {
  const x0 = left + PANEL.left;
  const x1 = left + PANEL.width - PANEL.right;
  const y0 = PANEL.height - PANEL.bottom;
  const scale = log ? Math.log : (value) => value;
  const [low, high] = [scale(ticks[0]), scale(ticks.at(-1))];
  const x = (step) => x0 + ((step - steps[0]) / (steps.at(-1) - steps[0])) * (x1 - x0);
  const y = (value) => y0 - ((scale(value) - low) / (high - low)) * (y0 - PANEL.top);
  const path = (points) =>
    points.map(([step, value], i) => `${i ? 'L' : 'M'}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join('');
  const parts = [text(x0, PANEL.top - 12, 'start', title, 12)];
  for (const tick of ticks) {
    parts.push(`<path d="M${x0} ${y(tick).toFixed(1)}H${x1}" stroke="${INK}" stroke-opacity="0.25"/>`);
    parts.push(text(x0 - 7, y(tick) + 4, 'end', tick));
  }
  for (const step of steps) parts.push(text(x(step), y0 + 16, 'middle', step));
  parts.push(text((x0 + x1) / 2, y0 + 31, 'middle', 'step'));
  runs.forEach(({ rows }, i) => {
    const { colour, dash } = STYLES[i];
    const stroke = `fill="none" stroke="${colour}" stroke-linejoin="round"`;
    const dashes = dash ? ` stroke-dasharray="${dash}"` : '';
    if (!held) {
      parts.push(`<path d="${path(series(rows, batch))}" ${stroke} stroke-width="1.5"/>`);
      return;
    }
    parts.push(`<path d="${path(series(rows, batch))}" ${stroke} stroke-opacity="0.4"/>`);
    const points = series(rows, held);
    parts.push(`<path d="${path(points)}" ${stroke} stroke-width="2"${dashes}/>`);
    for (const [step, value] of points) {
      parts.push(`<circle cx="${x(step).toFixed(1)}" cy="${y(value).toFixed(1)}" r="3" fill="${colour}"/>`);
    }
  });
  return parts.join('\n');
}

function legend(runs, labels) {
  return runs.map(({ name }, i) => {
    const { colour, dash } = STYLES[i];
    const label = labels?.[i] ?? name.replace(/.*-seed/, 'seed ');
    const left = PANEL.left + i * 90;
    const line = `<path d="M${left} 14h24" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash || 'none'}"/>`;
    return `${line}<circle cx="${left + 12}" cy="14" r="3" fill="${colour}"/>${text(left + 30, 18, 'start', label)}`;
  });
}

for (const { name, runs: names, labels, panels, steps = RUN_STEPS } of figures) {
  const missing = names.filter((run) => !existsSync(new URL(`${run}.csv`, FOLDER)));
  if (missing.length > 0) {
    console.error(`${name}.svg is left out: there is no ${missing.map((run) => `${run}.csv`).join(', ')}`);
    continue;
  }
  const runs = names.map((run) => ({ name: run, rows: readCsv(run) }));
  const width = PANEL.width * panels.length;
  const trained = panels[0].held !== undefined;
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${PANEL.height}" viewBox="0 0 ${width} ${PANEL.height}" font-family="system-ui, sans-serif" fill="${INK}" role="img">`,
    `<title>${name}: ${panels.map((each) => each.title).join(' and ')} over the steps</title>`,
    ...(trained ? legend(runs, labels) : []),
    ...(trained
      ? [text(width - PANEL.right, 18, 'end', 'points: 1,024 held-out problems · thin: the 256 completions of a step')]
      : []),
    ...panels.map((each, i) => panel(each, runs, steps, i * PANEL.width)),
    '</svg>',
  ];
  writeFileSync(new URL(`${name}.svg`, FOLDER), `${svg.join('\n')}\n`);
}
