/** Windows for head CT: centre and width in HU. The number keys follow this order. */
export interface Window {
  name: string;
  centre: number;
  width: number;
}

export const PRESETS: Window[] = [
  { name: "Brain", centre: 40, width: 80 },
  { name: "Subdural", centre: 80, width: 200 },
  { name: "Soft tissue", centre: 40, width: 380 },
  { name: "Bone", centre: 500, width: 2000 },
];
export const BRAIN = PRESETS[0]!;
export const SUBDURAL = PRESETS[1]!;
export const SOFT_TISSUE = PRESETS[2]!;
export const BONE = PRESETS[3]!;

/** The range of HU between black and white. */
export function range(window: { centre: number; width: number }): { lower: number; upper: number } {
  return { lower: window.centre - window.width / 2, upper: window.centre + window.width / 2 };
}

export function fromRange(voi: { lower: number; upper: number }): Window {
  const centre = (voi.lower + voi.upper) / 2;
  const width = voi.upper - voi.lower;
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 0.5;
  const preset = PRESETS.find((one) => near(one.centre, centre) && near(one.width, width));
  return preset ?? { name: "", centre: Math.round(centre), width: Math.round(width) };
}
