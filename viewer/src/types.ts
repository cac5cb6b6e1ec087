/** What the API answers; see docs/service-api.md. */

export type Label = string;
export type State = "present" | "uncertain" | "absent";

export interface Session {
  user: string;
  role: "reader" | "administrator";
  csrf: string;
  must_change: boolean;
  demo: boolean;
  version: string;
  notice?: string;
}

export interface Row {
  id: number;
  patient_name: string;
  patient_id: string;
  birth_date: string;
  sex: string;
  study_date: string;
  study_time: string;
  accession_number: string;
  description: string;
  station: string;
  source: string;
  status: string;
  reason: string;
  images: number;
  probability: number | null;
  suspected: boolean | null;
  states: Record<Label, State>;
  first_received: number;
  waiting_s: number;
  read_at: number | null;
  read_by: string;
  result_id: number | null;
  deliveries: { done?: number; waiting?: number; set_aside?: number };
  feedback: number;
}

export interface Listing {
  total: number;
  counts: Record<string, number>;
  late_min: number | null;
  studies: Row[];
}

export interface Result {
  status: string;
  reason: string | null;
  series_instance_uid: string;
  model: { name: string; version: string; sha256: string } | null;
  warnings: string[];
  findings?: { not_assessed: string[] };
}

export interface Delivery {
  id: number;
  kind: string;
  target: string;
  state: string;
  attempts: number;
  error: string;
}

export interface StudyFile {
  name: string;
  kind: string;
  size: number;
}

export interface Study extends Row {
  result: Result[] | null;
  deliveries_list?: Delivery[];
  files: StudyFile[];
}

export interface Place {
  slice_index: number;
  row: number;
  column: number;
}

export interface Finding {
  state: State;
  side: string;
  slices: number[];
  strongest: number;
  place: Place | null;
  probability: number;
  threshold: number;
}

export interface Slice {
  index: number;
  sop_instance_uid: string;
  position_mm: number;
  probabilities: Record<Label, number> | null;
}

export interface SeriesImages {
  series_instance_uid: string;
  description: string;
  reason: string | null;
  rows: number;
  cols: number;
  spacing_mm: [number, number] | null;
  orientation: number[] | null;
  slices: Slice[];
  labels: Label[];
  thresholds: Record<Label, number>;
  findings: Record<Label, Finding> | null;
  heat: Record<Label, number[]>;
}

/** "present" and "absent" are said of findings that are not certain: there is nothing to agree with. */
export type Verdict = "agree" | "disagree" | "unsure" | "present" | "absent";

export interface SliceMark {
  sop_instance_uid: string;
  label: Label;
  present: boolean;
}

export interface Box {
  sop_instance_uid: string;
  label: Label;
  top: number;
  left: number;
  height: number;
  width: number;
}

export interface Feedback {
  id: number;
  user: string;
  time: number;
  verdicts: Record<Label, Verdict>;
  slices: SliceMark[];
  boxes: Box[];
  reason: string;
}

export interface LiveEvent {
  kind: string;
  study_id: number | null;
  text: string;
}
