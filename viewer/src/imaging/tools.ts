import {
  addTool, annotation, EllipticalROITool, Enums, LengthTool, PanTool, RectangleROITool, StackScrollTool,
  ToolGroupManager, WindowLevelTool, ZoomTool, type Types,
} from "@cornerstonejs/tools";
import { sliceOf } from "./engine";
import { region } from "./region";

/** A box that a reader draws for feedback; it tells no figures. */
class FeedbackBoxTool extends RectangleROITool {
  static override toolName = "FeedbackBox";
}

export const SCROLL_EVENT = "ichscan-scroll";

/** Drag over so many pixels for one slice: the height of the pane is the stack, but never less than two. */
function pixelsPerSlice(element: HTMLElement, count: number): number {
  return Math.max(2, element.offsetHeight / Math.max(count, 8));
}

interface Drag {
  detail: { element: HTMLElement; deltaPoints: { canvas: ArrayLike<number> } };
}

/** Scrolling that only tells by how many slices; the stage then shows the same one in every pane. */
class SliceScrollTool extends StackScrollTool {
  static override toolName = "SliceScroll";
  static count = 1;
  private travelled = 0;

  override mouseWheelCallback(event: Types.EventTypes.MouseWheelEventType): void {
    this.tell(event.detail.element, event.detail.wheel.direction);
  }

  override mouseDragCallback(event: Types.EventTypes.InteractionEventType): void {
    this.drag(event as unknown as Drag);
  }

  override touchDragCallback(event: Types.EventTypes.InteractionEventType): void {
    this.drag(event as unknown as Drag);
  }

  private drag({ detail }: Drag): void {
    this.travelled += detail.deltaPoints.canvas[1] ?? 0;
    const each = pixelsPerSlice(detail.element, SliceScrollTool.count);
    const slices = Math.trunc(this.travelled / each);
    this.travelled -= slices * each;
    if (slices !== 0) this.tell(detail.element, slices);
  }

  private tell(element: HTMLElement, slices: number): void {
    element.dispatchEvent(new CustomEvent(SCROLL_EVENT, { detail: slices }));
  }
}

/** How many slices a drag over the whole pane goes through. */
export function scrollThrough(count: number): void {
  SliceScrollTool.count = count;
}

export const BOX = FeedbackBoxTool.toolName;
const GROUP = "ichscan";
const { MouseBindings, KeyboardBindings } = Enums;

/** Tools that the main mouse button and one finger can have, by the name that the toolbar uses. */
export const TOOLS: Record<string, string> = {
  scroll: SliceScrollTool.toolName,
  window: WindowLevelTool.toolName,
  pan: PanTool.toolName,
  zoom: ZoomTool.toolName,
  length: LengthTool.toolName,
  region: EllipticalROITool.toolName,
  box: BOX,
};
const MEASURING = [LengthTool.toolName, EllipticalROITool.toolName, BOX];

/**
 * What stands beside a region. Worked out here from the pixels whenever it is drawn: Cornerstone's own figures were
 * wrong on slices of a tilted gantry, and lag behind what is drawn.
 */
function regionLines(data: { handles?: { points?: ArrayLike<number>[] } }, target: string): string[] {
  const slice = sliceOf(target);
  const one = slice && region(slice.store, slice.index, data.handles?.points ?? []);
  if (!one) return [];
  return [
    `${one.area < 100 ? one.area.toFixed(1) : Math.round(one.area)} ${one.unit}`,
    `mean ${Math.round(one.mean)} ± ${Math.round(one.deviation)} HU`,
    `${one.least} to ${one.most} HU`,
  ];
}

function boxLines(data: { label?: string }): string[] {
  return data.label ? [data.label] : [];
}

const AMBER = "rgb(255, 214, 102)";
const BLUE = "rgb(124, 220, 255)";
const LINES = {
  color: AMBER, colorHighlighted: BLUE, colorSelected: BLUE, textBoxColor: AMBER, textBoxColorHighlighted: BLUE,
  textBoxColorSelected: BLUE, lineWidth: "1.5", textBoxFontSize: "13px", textBoxFontFamily: "system-ui, sans-serif",
};

let added = false;

/** The tool group of all panes, with the bindings that never change; see the keyboard help. */
export function toolGroup(): Types.IToolGroup {
  if (!added) {
    added = true;
    for (const tool of [SliceScrollTool, WindowLevelTool, PanTool, ZoomTool, LengthTool, EllipticalROITool,
      FeedbackBoxTool]) addTool(tool);
    const { style } = annotation.config;
    const before = style.getDefaultToolStyles();
    style.setDefaultToolStyles({ ...before, global: { ...before["global"], ...LINES } });
  }
  const existing = ToolGroupManager.getToolGroup(GROUP);
  if (existing) return existing;
  const group = ToolGroupManager.createToolGroup(GROUP);
  if (!group) throw new Error("the tool group cannot be made");
  group.addTool(SliceScrollTool.toolName);
  group.addTool(WindowLevelTool.toolName);
  group.addTool(PanTool.toolName);
  group.addTool(ZoomTool.toolName);
  group.addTool(LengthTool.toolName);
  group.addTool(EllipticalROITool.toolName, { getTextLines: regionLines });
  group.addTool(BOX, { getTextLines: boxLines });
  return group;
}

/** Gives the main button to a tool; right drag is always the window, middle drag pans, two fingers zoom. */
export function choose(group: Types.IToolGroup, tool: string): void {
  const primary = TOOLS[tool] ?? SliceScrollTool.toolName;
  for (const name of Object.values(TOOLS)) {
    if (name !== primary) (MEASURING.includes(name) ? group.setToolPassive(name) : group.setToolDisabled(name));
  }
  const always: Record<string, Types.IToolBinding[]> = {
    [SliceScrollTool.toolName]: [{ mouseButton: MouseBindings.Wheel }],
    [WindowLevelTool.toolName]: [{ mouseButton: MouseBindings.Secondary }],
    [PanTool.toolName]: [{ mouseButton: MouseBindings.Auxiliary }],
    [ZoomTool.toolName]: [
      { mouseButton: MouseBindings.Primary, modifierKey: KeyboardBindings.Shift },
      { numTouchPoints: 2 },
    ],
  };
  for (const name of new Set([...Object.keys(always), primary])) {
    const bindings = [...(always[name] ?? [])];
    if (name === primary) bindings.push({ mouseButton: MouseBindings.Primary }, { numTouchPoints: 1 });
    group.setToolActive(name, { bindings });
  }
}
