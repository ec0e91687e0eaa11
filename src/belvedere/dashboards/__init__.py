"""From tables to dashboards: recognise a family, bind its template to the table, keep the result, publish it."""
