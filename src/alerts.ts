import './runtime/checkNode.ts'

export { type AlertEvent, type AlertSeverity, type AlertTransition, alertIdentity } from './market/alertEvent.ts'
export type { Measure, Measurement } from './market/measurement.ts'
export type {
  AlertBounds,
  AlertRule,
  AlertRuleBase,
  CandleAlertRule,
  GapAlertRule,
  MeasureAlertRule,
  Threshold,
} from './operators/alerts/alertRule.ts'
export { type AlertInput, type AlertsOptions, alerts } from './operators/alerts/alerts.ts'
export { alertTable } from './sinks/alertTable.ts'
export { type AlertChannel, toAlerts } from './sinks/toAlerts.ts'
