"""Reading records back: filters, pages, following, and the story of a job."""
