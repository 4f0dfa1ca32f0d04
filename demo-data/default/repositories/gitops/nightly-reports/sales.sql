select day, sum(total) from orders group by day order by day desc limit 30;
