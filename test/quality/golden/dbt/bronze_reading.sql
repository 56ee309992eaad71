{{ config(materialized='view') }}
select 
  "sensor",
  "at",
  "celsius",
  "unit",
  "low"
from {{ source('millrace', 'reading') }}
