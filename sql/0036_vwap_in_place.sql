-- The same as before, as one expression: the server puts it in the place of its call, where it called it for every row before. quote_volume / volume, rounded once to 8 places, half to even;
-- NULL where nothing was traded.
CREATE OR REPLACE FUNCTION vwap_of(quote_volume numeric, volume numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
SELECT (div(quote_volume * 100000000, nullif(volume, 0))
  + CASE WHEN 2 * mod(quote_volume * 100000000, nullif(volume, 0)) > volume THEN 1
         WHEN 2 * mod(quote_volume * 100000000, nullif(volume, 0)) = volume THEN mod(div(quote_volume * 100000000, nullif(volume, 0)), 2) ELSE 0 END) * 0.00000001
$$;
