import { stringify } from 'yaml'
import { type Chart, charts, dashboard, database, dataset, lastDay, timeColumn } from './declarations.ts'

const root = 'millrace'
const version = '1.0.0'
const wholeWidth = 12
const rowHeight = 50
/** Filled in when it is imported. */
const unknownId = 0

/** The files of the bundle by their path, as Superset 4 and 6 import them. */
export function bundleFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, object>([
    ['metadata.yaml', { version, type: 'Dashboard', timestamp: '2026-01-01T00:00:00+00:00' }],
    [`databases/${database.name}.yaml`, databaseFile()],
    [`datasets/${database.name}/${dataset.table}.yaml`, datasetFile()],
    ...charts.map((chart, i): readonly [string, object] => [`charts/${i + 1}.yaml`, chartFile(chart)]),
    [`dashboards/${dashboard.slug}.yaml`, dashboardFile()],
  ])
  // In quotes, because Superset takes a time for a time otherwise, and refuses it without saying why.
  const quoted = { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' } as const
  return new Map([...files].map(([path, content]) => [`${root}/${path}`, stringify(content, quoted)]))
}

function databaseFile(): object {
  return {
    database_name: database.name,
    sqlalchemy_uri: database.uri,
    cache_timeout: null,
    expose_in_sqllab: true,
    allow_run_async: false,
    allow_ctas: false,
    allow_cvas: false,
    allow_dml: false,
    // Required, or the import ends with an error that does not say so.
    allow_csv_upload: false,
    extra: { allows_virtual_table_explore: true },
    uuid: database.uuid,
    version,
  }
}

function datasetFile(): object {
  return {
    table_name: dataset.table,
    main_dttm_col: timeColumn,
    description: dataset.description,
    default_endpoint: null,
    offset: 0,
    cache_timeout: null,
    schema: 'public',
    sql: null,
    params: null,
    template_params: null,
    filter_select_enabled: true,
    fetch_values_predicate: null,
    extra: null,
    uuid: dataset.uuid,
    metrics: dataset.metrics.map(({ name, label, expression, format }) => ({
      metric_name: name,
      verbose_name: label,
      metric_type: null,
      expression,
      description: null,
      d3format: format,
      extra: null,
      warning_text: null,
    })),
    columns: dataset.columns.map(({ name, type, isTime = false, isGroup = false }) => ({
      column_name: name,
      verbose_name: null,
      is_dttm: isTime,
      is_active: true,
      type,
      groupby: isGroup,
      filterable: true,
      expression: null,
      description: null,
      python_date_format: null,
      extra: null,
    })),
    version,
    database_uuid: database.uuid,
  }
}

function chartFile(chart: Chart): object {
  const { uuid, name, description, kind } = chart
  return {
    slice_name: name,
    description,
    certified_by: null,
    certification_details: null,
    viz_type: kind,
    params: paramsOf(chart),
    query_context: JSON.stringify(queryOf(chart)),
    cache_timeout: null,
    uuid,
    version,
    dataset_uuid: dataset.uuid,
  }
}

function paramsOf({ kind, x, xTitle, groups, metric, yTitle }: Chart): object {
  const isOverTime = x === timeColumn
  return {
    viz_type: kind,
    x_axis: x,
    // 4.0 has no grain of five minutes on PostgreSQL, and the rows have it already.
    time_grain_sqla: null,
    ...(isOverTime ? {} : { x_axis_sort: metric, x_axis_sort_asc: false }),
    metrics: [metric],
    groupby: [...groups],
    adhoc_filters: [timeFilter()],
    order_desc: true,
    row_limit: 50_000,
    x_axis_title: xTitle,
    x_axis_title_margin: 30,
    y_axis_title: yTitle,
    y_axis_title_margin: 50,
    y_axis_format: 'SMART_NUMBER',
    y_axis_bounds: [null, null],
    // A price of 60,000 and one of 0.6 are both to be seen.
    logAxis: isOverTime,
    truncateYAxis: isOverTime,
    stack: isOverTime ? null : 'Stack',
    color_scheme: 'supersetColors',
    show_legend: true,
    legendType: 'scroll',
    legendOrientation: 'top',
    rich_tooltip: true,
    zoomable: isOverTime,
    extra_form_data: {},
  }
}

function timeFilter(): object {
  return {
    clause: 'WHERE',
    comparator: lastDay,
    expressionType: 'SIMPLE',
    operator: 'TEMPORAL_RANGE',
    subject: timeColumn,
  }
}

function queryOf(chart: Chart): object {
  const { x, groups, metric } = chart
  const isOverTime = x === timeColumn
  const axis = {
    columnType: 'BASE_AXIS',
    expressionType: 'SQL',
    label: x,
    sqlExpression: x,
    ...(isOverTime ? { timeGrain: null } : {}),
  }
  return {
    datasource: { id: unknownId, type: 'table' },
    force: false,
    queries: [
      {
        filters: [{ col: timeColumn, op: 'TEMPORAL_RANGE', val: lastDay }],
        extras: { having: '', where: '' },
        applied_time_extras: {},
        columns: [axis, ...groups],
        metrics: [metric],
        orderby: [[isOverTime ? x : metric, isOverTime]],
        annotation_layers: [],
        row_limit: 50_000,
        series_columns: [...groups],
        series_limit: 0,
        order_desc: true,
        url_params: {},
        custom_params: {},
        custom_form_data: {},
        post_processing: [],
      },
    ],
    form_data: { ...paramsOf(chart), datasource: `${unknownId}__table` },
    result_format: 'json',
    result_type: 'full',
  }
}

function dashboardFile(): object {
  const rows = charts.map((_, i) => `ROW-${i + 1}`)
  const position: Record<string, unknown> = {
    DASHBOARD_VERSION_KEY: 'v2',
    ROOT_ID: { type: 'ROOT', id: 'ROOT_ID', children: ['GRID_ID'] },
    GRID_ID: { type: 'GRID', id: 'GRID_ID', children: rows, parents: ['ROOT_ID'] },
    HEADER_ID: { type: 'HEADER', id: 'HEADER_ID', meta: { text: dashboard.title } },
  }
  for (const [i, { uuid, name }] of charts.entries()) {
    const [row, chart] = [`ROW-${i + 1}`, `CHART-${i + 1}`]
    position[row] = {
      type: 'ROW',
      id: row,
      children: [chart],
      parents: ['ROOT_ID', 'GRID_ID'],
      meta: { background: 'BACKGROUND_TRANSPARENT' },
    }
    position[chart] = {
      type: 'CHART',
      id: chart,
      children: [],
      parents: ['ROOT_ID', 'GRID_ID', row],
      meta: { chartId: i + 1, height: rowHeight, sliceName: name, uuid, width: wholeWidth },
    }
  }
  return {
    dashboard_title: dashboard.title,
    description: dashboard.description,
    css: '',
    slug: dashboard.slug,
    uuid: dashboard.uuid,
    position,
    metadata: {
      color_scheme: '',
      refresh_frequency: dashboard.refreshSeconds,
      expanded_slices: {},
      label_colors: {},
      timed_refresh_immune_slices: [],
      cross_filters_enabled: true,
      default_filters: '{}',
    },
    version,
  }
}
