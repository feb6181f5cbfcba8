/** @file The charts' arithmetic: scales, ticks, paths, shades, tables, and numbers as they are written. */
import { describe, expect, it } from 'vitest';
import { formatFixed, formatNumber, formatPercent, formatShort, formatSigned } from '../../../src/ui/charts/format';
import { heatPaths, mergeColumns, SHADES, shadeOf } from '../../../src/ui/charts/heat';
import { linearScale, roundUp, stepAxisEnd, stepTicks, valueTicks } from '../../../src/ui/charts/scale';
import { bandPath, largest, linePath, pointAt, type Point } from '../../../src/ui/charts/series';
import { seriesTable, tableToCsv, thinRows } from '../../../src/ui/charts/table';

const unit = linearScale([0, 10], [0, 100]);
const down = linearScale([0, 1], [100, 0]);

describe('scales', () => {
  it('map and invert', () => {
    expect(down(0.25)).toBe(75);
    expect(down.invert(75)).toBe(0.25);
  });
  it('survive an empty domain', () => {
    expect(linearScale([3, 3], [0, 50])(3)).toBe(0);
  });
  it('divide the value axis evenly into short numbers, both ends included', () => {
    expect(valueTicks(0, 1, 2)).toEqual([0, 0.5, 1]);
    expect(valueTicks(0, 1.2, 3)).toEqual([0, 0.4, 0.8, 1.2]);
    expect(valueTicks(0, 48, 2)).toEqual([0, 24, 48]);
    expect(valueTicks(0, 0.75, 2)).toEqual([0, 0.75]);
    expect(valueTicks(0, 0.4, 1)).toEqual([0, 0.4]);
    expect(valueTicks(5, 5, 3)).toEqual([5]);
  });
  it('tick the step axis at whole steps, the last included', () => {
    expect(stepTicks(2, 4)).toEqual([0, 1, 2]);
    expect(stepTicks(20, 4)).toEqual([0, 5, 10, 15, 20]);
    expect(stepTicks(48, 4)).toEqual([0, 20, 48]);
    expect(stepTicks(160, 4)).toEqual([0, 50, 100, 160]);
    expect(stepTicks(1, 5)).toEqual([0, 1]);
  });
  it('round bounds up', () => {
    expect([0.31, 1, 1.2, 7.6, 40, 99].map(roundUp)).toEqual([0.4, 1, 1.5, 10, 40, 100]);
    expect([0, NaN, Infinity, -1].map(roundUp)).toEqual([1, 1, 1, 1]);
  });
  it('give the step axis room to grow, up to the length of the run', () => {
    expect([0, 20, 21, 41, 100, 160].map((last) => stepAxisEnd(last, 160))).toEqual([20, 20, 40, 80, 160, 160]);
    expect(stepAxisEnd(3, 5)).toBe(5);
    expect(stepAxisEnd(30, 5)).toBe(30);
  });
});

describe('paths', () => {
  it('break where a value is missing or not a number', () => {
    const points: Point[] = [
      [0, 0],
      [1, 1],
      [2, null],
      [3, 0.5],
      [4, NaN],
      [5, 0],
    ];
    expect(linePath(points, unit, down)).toBe('M0.0 100.0L10.0 0.0M30.0 50.0M50.0 100.0');
  });
  it('close a band', () => {
    expect(bandPath([0, 1], [0, 0], [1, 0.5], unit, down)).toBe('M0.0 0.0L10.0 50.0L10.0 100.0L0.0 100.0Z');
    expect(bandPath([], [], [], unit, down)).toBe('');
  });
  it('find the point at a step or before it', () => {
    const points: Point[] = [
      [0, 1],
      [10, 2],
      [20, 3],
    ];
    expect(pointAt(points, 9)).toEqual([0, 1]);
    expect(pointAt(points, 10)).toEqual([10, 2]);
    expect(pointAt(points, 99)).toEqual([20, 3]);
    expect(pointAt(points, -1)).toBeUndefined();
  });
  it('take the largest finite value', () => {
    const points: Point[] = [
      [0, 1],
      [1, Infinity],
      [2, null],
      [3, 4],
    ];
    expect(largest([{ name: 'a', color: '', points }])).toBe(4);
    expect(largest([])).toBe(0);
  });
});

describe('the heat map', () => {
  it('has no shade for nothing, the last for everything, and never less for more', () => {
    expect(shadeOf(0)).toBe(-1);
    expect(shadeOf(1)).toBe(SHADES - 1);
    const shades = Array.from({ length: 101 }, (_, i) => shadeOf(i / 100));
    expect(shades).toEqual(shades.toSorted((a, b) => a - b));
  });
  it('puts a cell into the path of its shade', () => {
    const paths = heatPaths([{ step: 1, shares: [0, 1] }], 1, unit, linearScale([0, 2], [20, 0]));
    expect(paths).toEqual([{ key: `0-${SHADES - 1}`, shade: SHADES - 1, d: 'M5 0h10.5v10h-10.5z' }]);
  });
  it('joins neighbouring cells of one shade', () => {
    const paths = heatPaths([{ step: 1, shares: [0.5, 0.5, 0] }], 1, unit, linearScale([0, 3], [30, 0]));
    expect(paths.map((path) => path.d)).toEqual(['M5 10h10.5v20h-10.5z']);
  });
  it('leaves the paths of earlier steps alone as steps are added', () => {
    const columns = Array.from({ length: 40 }, (_, i) => ({ step: i + 1, shares: [0.5, i / 40] }));
    const y = linearScale([0, 2], [20, 0]);
    const before = heatPaths(columns.slice(0, 39), 1, unit, y);
    const after = new Map(heatPaths(columns, 1, unit, y).map((path) => [path.key, path.d]));
    const changed = before.filter((path) => after.get(path.key) !== path.d);
    expect(changed.map((path) => path.key.split('-')[0])).toEqual(changed.map(() => '32'));
    expect(before.length - changed.length).toBeGreaterThan(0);
  });
  it('averages neighbouring steps when there are too many', () => {
    const columns = [1, 2, 3].map((step) => ({ step, shares: [step / 10, 0] }));
    const merged = mergeColumns(columns, 2);
    expect(merged.width).toBe(2);
    expect(merged.columns.map((column) => column.step)).toEqual([1, 3]);
    expect(merged.columns[0]!.shares[0]).toBeCloseTo(0.15);
    expect(mergeColumns(columns, 3)).toEqual({ width: 1, columns });
  });
});

describe('tables', () => {
  const table = seriesTable('Reward', [
    {
      name: 'reward',
      color: '',
      points: [
        [1, 0.5],
        [2, 0.75],
      ],
    },
    {
      name: 'accuracy, held out',
      color: '',
      points: [
        [0, 0.25],
        [2, null],
      ],
    },
  ]);
  it('have a row for each step of any series', () => {
    expect(table.rows).toEqual([
      [0, null, 0.25],
      [1, 0.5, null],
      [2, 0.75, null],
    ]);
  });
  it('become CSV with full precision and quoted names', () => {
    expect(tableToCsv(table)).toBe('step,reward,"accuracy, held out"\n0,,0.25\n1,0.5,\n2,0.75,\n');
  });
  it('are thinned evenly and keep the last row', () => {
    const rows = Array.from({ length: 10 }, (_, i) => i);
    expect(thinRows(rows, 4)).toEqual([0, 3, 6, 9]);
    expect(thinRows(rows, 10)).toBe(rows);
  });
});

describe('numbers as they are written', () => {
  it('with few digits and a real minus sign', () => {
    expect([0, 0.047, 0.634, -1.5, 12.34, 123.4, 1234.5].map(formatNumber)).toEqual([
      '0.00',
      '0.047',
      '0.63',
      '−1.50',
      '12.3',
      '123',
      '1,235',
    ]);
    expect(formatNumber(0.0003)).toBe('3.0e−4');
    expect([null, undefined, NaN, -Infinity].map(formatNumber)).toEqual(['–', '–', 'NaN', '−∞']);
  });
  it('as short as they go', () => {
    expect([0, 1, 0.2, 112, 0.01, 3e-4, 1.5e-5, 1e6, -2.5, 100].map(formatShort)).toEqual([
      '0',
      '1',
      '0.2',
      '112',
      '0.01',
      '3e−4',
      '1.5e−5',
      '1e6',
      '−2.5',
      '100',
    ]);
  });
  it('with a sign that tells direction, and none on zero', () => {
    expect([0.9, -1.204, 0, -0.001].map((value) => formatSigned(value))).toEqual(['+0.90', '−1.20', '0.00', '0.00']);
    expect([-0.0001, -0.5].map((value) => formatFixed(value, 2))).toEqual(['0.00', '−0.50']);
  });
  it('as whole percents', () => {
    expect([0.494, 1, null].map(formatPercent)).toEqual(['49%', '100%', '–']);
  });
});
