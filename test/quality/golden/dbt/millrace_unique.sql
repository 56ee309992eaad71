{% test millrace_unique(model, columns, only='true') %}
select {{ columns | join(', ') }} from {{ model }} as r where {{ only }} group by {{ columns | join(', ') }} having count(*) > 1
{% endtest %}
