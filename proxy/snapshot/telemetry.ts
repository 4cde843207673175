/** What is to be told about requests. */

export type TelemetrySettings = {
  /** Percent of requests with no upstream decision that are traced (Istio: randomSamplingPercentage). */
  readonly tracingPercent: number;
  readonly accessLog: boolean;
};
