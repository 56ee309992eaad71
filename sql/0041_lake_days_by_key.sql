-- Days of the lake are read series by series, which the primary key finds. An index on the time alone made every insert dearer, and where no statistics were the planner took it for what the key finds: the minutes of all
-- symbols were read for an hour of one.
DROP INDEX silver_klines_1m_open_time_idx;
DROP INDEX gold_klines_5m_open_time_idx;
DROP INDEX gold_klines_15m_open_time_idx;
DROP INDEX gold_klines_1h_open_time_idx;
DROP INDEX gold_klines_4h_open_time_idx;
DROP INDEX gold_klines_1d_open_time_idx;
