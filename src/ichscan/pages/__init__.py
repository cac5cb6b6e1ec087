"""Reports as one HTML file each: what they are made of (`section`), how charts are drawn, and the page around them."""
