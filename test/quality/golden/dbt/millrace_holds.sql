{% test millrace_holds(model, condition) %}
select r.* from {{ model }} as r where ({{ condition }}) is not true
{% endtest %}
