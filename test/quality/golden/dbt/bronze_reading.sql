{{ config(materialized='view') }}
select 
  "sensor",
  "at",
  "celsius",
  "unit"
from {{ source('millrace', 'reading') }}
