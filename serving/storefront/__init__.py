"""The storefront: one page that shows a shop through a shopper's eyes, served as plain files."""
