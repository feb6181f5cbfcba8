/** @file IEEE 754 half precision in plain arithmetic: not every browser has Float16Array yet. */

const scratch = new DataView(new ArrayBuffer(4));

/** The value of 16 bits of f16; exact. */
export function float16ToFloat32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The f16 bits nearest to an f32 value, ties to even; from 65520 on, infinity. */
export function float32ToFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal in f16: move the exponent's bias from 127 to 15, then round away the low 13 bits.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Subnormal in f16: a multiple of 2^-24, and a double holds the quotient exactly.
  const quotient = Math.abs(value) * 2 ** 24;
  const floor = Math.floor(quotient);
  const rest = quotient - floor;
  return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
}
